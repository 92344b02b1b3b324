import errno
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ClipError
from pipeline.files import code_files
from pipeline.shards import build
from pipeline.shards.build import FORMATS, build_shards, place_shards, plan_shards, shard_of
from pipeline.shards.parquet import read_parquet
from pipeline.shards.tfrecord import read_tfrecord


class Here(Executor):
    """Runs each task when it is submitted, and remembers which."""

    def __init__(self):
        self.keys = []

    def submit(self, task, shard, *rest):
        self.keys.append(shard.key)
        future = Future()
        try:
            future.set_result(task(shard, *rest))
        except Exception as error:  # noqa: BLE001 - what a pool does
            future.set_exception(error)
        return future


def make(clips, how, folder, executor=None):
    """Build and place; the keys that had to be made."""
    folder.mkdir(exist_ok=True)
    planned, executor = plan_shards(clips, how), executor or Here()
    summaries = build_shards(planned, how, folder, executor)
    place_shards(planned, summaries, made=folder, placed=folder / "placed", count=how.shards)
    return getattr(executor, "keys", None)


def contents(folder):
    placed = folder / "placed"
    return {str(f.relative_to(placed)): f.read_bytes() for f in placed.rglob("shard-*")}


def test_a_clip_s_shard_never_changes():
    assert [shard_of(f"class/clip{number}", 64) for number in range(4)] == [33, 57, 26, 55]


def test_clips_spread_over_all_shards():
    taken = Counter(shard_of(f"class/clip{number}", 8) for number in range(800))
    assert len(taken) == 8
    assert max(taken.values()) < 150


def test_every_clip_is_in_both_formats_once(clips, shards):
    for suffix in FORMATS:
        files = sorted((shards / "placed").rglob(f"*.{suffix}"))
        read = read_parquet if suffix == "parquet" else read_tfrecord
        found = [record.clip for file in files for record in read(file)]
        assert sorted(found) == sorted(clip.clip for clip in clips)


def test_both_formats_hold_the_same_records(shards):
    placed = shards / "placed"
    for file in (placed / "parquet").iterdir():
        records = list(read_parquet(file))
        for stream, others in (("rgb", {"flow": (), "flow_scale": ()}), ("flow", {"frames": ()})):
            twin = placed / "tfrecord" / f"{file.stem}.{stream}.tfrecord"
            assert list(read_tfrecord(twin)) == [replace(record, **others) for record in records]


def test_a_shard_without_clips_has_no_file(clips, how, tmp_path):
    make(clips[:1], how, tmp_path)
    assert len(contents(tmp_path)) == len(FORMATS)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_bytes_do_not_depend_on_workers_or_order(clips, how, shards, tmp_path, workers):
    with ThreadPoolExecutor(workers) as executor:
        make(clips[::-1], how, tmp_path, executor)
    assert contents(tmp_path) == contents(shards)


def test_what_is_there_is_not_made_again(clips, how, tmp_path):
    assert make(clips, how, tmp_path)
    assert make(clips, how, tmp_path) == []


@pytest.mark.parametrize("change", ["added", "removed", "changed"])
def test_one_clip_rewrites_one_shard(clips, how, tmp_path, change):
    fewer, touched = clips[:-1], clips[-1]
    old, new = (fewer, clips) if change == "added" else (clips, fewer)
    if change == "changed":
        new = [*fewer, replace(touched, sha256="f" * 64, path=clips[1].path)]
    make(old, how, tmp_path)
    before = contents(tmp_path)
    assert len(make(new, how, tmp_path)) == 1
    after = contents(tmp_path)
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert {int(Path(name).stem[6:11]) for name in differing} == {
        shard_of(touched.clip, how.shards)
    }
    assert len(differing) == len(FORMATS)


def test_a_setting_that_changes_bytes_makes_all_shards_again(clips, how, tmp_path):
    first = make(clips, how, tmp_path)
    again = make(clips, how.model_copy(update={"jpeg_quality": 80}), tmp_path)
    assert len(again) == len(first)
    assert not set(again) & set(first)


def test_a_clip_that_fails_is_left_out_and_named(clips, how, tmp_path):
    broken = replace(clips[0], path=clips[0].path.with_name("gone.avi"))
    planned = plan_shards([broken, *clips[1:]], how)
    summaries = build_shards(planned, how, tmp_path, Here())
    failed = {clip: why for each in summaries.values() for clip, why in each.failed.items()}
    assert list(failed) == [clips[0].clip]
    assert "cannot be opened" in failed[clips[0].clip]
    assert sum(each.clips for each in summaries.values()) == len(clips) - 1


def test_a_shard_with_a_failed_clip_is_made_again_once_the_clip_is_back(clips, how, tmp_path):
    away = clips[0].path.with_name("away.avi")
    clips[0].path.rename(away)
    make(clips, how, tmp_path)
    away.rename(clips[0].path)
    assert len(make(clips, how, tmp_path)) == 1
    assert any(clips[0].clip.encode() in data for data in contents(tmp_path).values())


def test_a_shard_whose_clips_all_fail_has_no_file(clips, how, tmp_path):
    broken = [replace(clip, path=clip.path.with_suffix(".gone")) for clip in clips]
    make(broken, how, tmp_path)
    assert not contents(tmp_path)


def test_leftovers_of_a_killed_run_are_swept_away(clips, how, tmp_path):
    leftover = tmp_path / "0123.partabc"
    leftover.mkdir()
    (leftover / "shard.rgb.tfrecord").write_bytes(b"half")
    make(clips, how, tmp_path)
    assert not leftover.exists()


def test_files_no_longer_planned_disappear(clips, how, tmp_path):
    make(clips, how, tmp_path)
    make(clips[:1], how, tmp_path)
    assert len(contents(tmp_path)) == len(FORMATS)


def test_placed_files_take_no_space_of_their_own(shards):
    assert all(file.stat().st_nlink == 2 for file in (shards / "placed").rglob("shard-*"))


def test_without_hard_links_files_are_copied(clips, how, shards, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    make(clips, how, tmp_path)
    assert contents(tmp_path) == contents(shards)
    assert not list((tmp_path / "placed").rglob("*.part"))


def test_all_code_that_makes_the_bytes_is_in_the_key():
    code = "import pipeline.shards.build, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in run.stdout.split() if name.startswith(("pipeline.s", "pipeline.v"))}
    keyed = {f"pipeline.{path.parent.name}.{path.stem}" for path in code_files(build.__name__)}
    assert loaded - {"pipeline.shards", "pipeline.video"} <= keyed
    assert "tensorflow" not in run.stdout.split()


def test_a_full_disk_fails_the_shard_and_no_clip(clips, how, tmp_path, monkeypatch):
    def failing(clip, settings):
        raise ClipError("decoding stops") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build, "extract_clip", failing)
    with pytest.raises(ClipError):
        make(clips, how, tmp_path / "made")
