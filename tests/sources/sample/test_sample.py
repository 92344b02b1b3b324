"""The sample data set: what it holds, that it is drawn safely, and what tells its classes apart."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.sample import sample
from pipeline.sources.sample.drawing import (
    FPS,
    HEIGHT,
    MARGIN,
    MOTIONS,
    WIDTH,
    appearance,
    scene,
    scene_of,
)
from pipeline.sources.sample.filming import film, is_whole, write_video
from pipeline.sources.sample.sample import CLASSES, DRAWING_VERSION, draw_sample, sample_clips

ROOT = Path(__file__).parents[3]
PAIRS = [("FanOpening", "FanClosing"), ("Growing", "Shrinking"), ("Scattering", "Gathering")]
FEW = [f"{name}/v_{name}_g0{g}_c01" for name in ("Growing", "Swinging") for g in (1, 2)]

KILLED_RUN = """
from pathlib import Path
from pipeline.sources.sample.filming import film
if __name__ == "__main__":
    film({clips}, Path({folder!r}), workers=1)
"""


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.avi")}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    film(FEW, folder, workers=1)
    return folder


# What it holds


def test_nine_classes_of_25_groups_of_2_clips_named_as_ucf101_names_its_own():
    clips = sample_clips()
    assert clips == sorted(set(clips))
    assert len(clips) == 9 * 25 * 2
    assert clips[0] == "Bouncing/v_Bouncing_g01_c01"
    assert clips[-1] == "Swinging/v_Swinging_g25_c02"


def test_some_classes_can_be_chosen():
    assert {clip.split("/")[0] for clip in sample_clips(["Gathering", "Growing"])} == {
        "Gathering",
        "Growing",
    }


def test_every_class_has_its_motion():
    assert tuple(sorted(MOTIONS)) == CLASSES


def test_an_unknown_class_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(SourceError, match=r"names Archery, .*choose from Bouncing, .*Swinging"):
        draw_sample(tmp_path / "clips", classes=["Growing", "Archery"], workers=1)
    assert not (tmp_path / "clips").exists()


def test_listing_the_clips_needs_nothing_heavy():
    code = "import sys, pipeline.sources.sample.sample as s; s.sample_clips(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert not {"cv2", "numpy", "tqdm", "multiprocessing"} & set(done.stdout.decode().split())


def test_the_version_is_a_fingerprint():
    assert len(DRAWING_VERSION) == 16
    assert int(DRAWING_VERSION, 16) >= 0


# How it is drawn


def test_clips_are_real_videos_that_hold_every_frame(few):
    for clip in FEW:
        video = cv2.VideoCapture(str(few / f"{clip}.avi"))
        assert video.get(cv2.CAP_PROP_FPS) == FPS
        frames = []
        while (read := video.read())[0]:
            frames.append(read[1])
        assert len(frames) == len(scene_of(clip))
        assert len(frames) / FPS > 2.1
        assert frames[0].shape == (HEIGHT, WIDTH, 3)
        drawn = scene_of(clip).frame(len(frames) - 1)
        assert np.abs(frames[-1].astype(int) - drawn).mean() < 12


def test_bytes_do_not_depend_on_the_number_of_workers(few, tmp_path):
    film(FEW[::-1], tmp_path, workers=2)
    assert contents(tmp_path) == contents(few)


def test_all_clips_of_the_chosen_classes_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "GROUPS", 2)
    draw_sample(tmp_path, classes=["Scattering"], workers=2)
    assert set(contents(tmp_path)) == {Path(f"{clip}.avi") for clip in sample_clips(["Scattering"])}
    assert [path.name for path in tmp_path.iterdir()] == ["Scattering"]


def test_whole_files_are_kept_and_broken_ones_drawn_again(few, tmp_path):
    before = contents(few)
    kept, broken = few / f"{FEW[0]}.avi", few / f"{FEW[1]}.avi"
    stamp = kept.stat().st_mtime_ns
    broken.write_bytes(broken.read_bytes()[:5000])
    film(FEW, few, workers=1)
    assert kept.stat().st_mtime_ns == stamp
    assert contents(few) == before


def test_a_killed_run_leaves_only_whole_files_and_is_taken_up_again(few, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(KILLED_RUN.format(clips=FEW, folder=str(tmp_path)))
    run = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        finished = tmp_path / f"{FEW[0]}.avi"
        deadline = time.monotonic() + 60
        while not finished.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    whole = [path for path in tmp_path.rglob("*.avi") if ".filming-" not in str(path)]
    assert finished in whole
    assert len(whole) < len(FEW)
    assert all(map(is_whole, whole))
    film(FEW, tmp_path, workers=1)
    assert contents(tmp_path) == contents(few)
    assert not list(tmp_path.glob(".filming-*"))


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere/clip\.avi could not be written whole"):
        write_video(tmp_path / "nowhere" / "clip.avi", scene_of(FEW[0]))


# What tells its classes apart


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("seed", range(3))
def test_the_classes_of_a_pair_are_each_other_backwards(first, second, seed):
    forwards = scene(first, group=appearance(seed), seed=seed)
    backwards = scene(second, group=appearance(seed), seed=seed)
    assert len(forwards) == len(backwards)
    for index in range(0, len(forwards), 9):
        mirrored = len(forwards) - 1 - index
        assert np.array_equal(forwards.frame(index), backwards.frame(mirrored))


def test_neither_length_nor_world_knows_the_class():
    scenes = [scene(name, group=appearance(5), seed=7) for name in CLASSES]
    assert len({id(each.appearance) for each in scenes}) == 1
    assert all(each.trajectory == scenes[0].trajectory for each in scenes)


def test_groups_look_different_and_their_clips_alike():
    first, second, other = (
        scene_of(f"Growing/v_Growing_{clip}") for clip in ("g01_c01", "g01_c02", "g02_c01")
    )
    assert np.array_equal(first.appearance.background, second.appearance.background)
    assert first.trajectory != second.trajectory
    assert not np.array_equal(first.appearance.background, other.appearance.background)


@pytest.fixture(scope="module")
def tracks():
    """How large and how bright the moving object is, in 16 frames a clip: {clip: [16, 2]}."""
    clips = [clip for clip in sample_clips() if clip.endswith("_c01") and group(clip) <= 16]
    return {clip: track(scene_of(clip)) for clip in clips}


def group(clip):
    return int(clip[-6:-4])


def track(clip, *, flipped=False):
    frames = [clip.frame(index) for index in np.linspace(0, len(clip) - 1, 16).astype(int)]
    empty = clip.appearance.background[MARGIN:-MARGIN, MARGIN:-MARGIN]
    small = [cv2.resize(f, (40, 30), interpolation=cv2.INTER_AREA) for f in (empty, *frames)]
    still, moving = np.split(np.stack(small).astype(int)[:, :, :: -1 if flipped else 1], [1])
    mask = np.abs(moving - still).max(axis=-1) > 60
    area = mask.mean(axis=(1, 2))
    light = (mask[..., None] * moving).mean(axis=(1, 2, 3)) / (area + 0.01) / 255
    return np.stack([5 * area, light], axis=1)


def unordered(track):
    """All that a model blind to time could know of a track: its values, whatever their order."""
    return np.sort(track, axis=0).ravel()


def ordered(track):
    """The same, and how the values change from frame to frame (jumps of a new cycle aside)."""
    return np.concatenate([unordered(track), 20 * trend(track)])


def trend(track):
    return np.median(np.diff(track, axis=0), axis=0)


def accuracy(tracks, features):
    """Share of the test groups' clips whose nearest neighbour among the others has their class."""
    known = [clip for clip in tracks if group(clip) > 7]
    tested = [clip for clip in tracks if group(clip) <= 7]
    points = np.stack([features(tracks[clip]) for clip in known])
    nearest = [np.abs(points - features(tracks[clip])).sum(axis=1).argmin() for clip in tested]
    pairs = zip(tested, nearest, strict=True)
    return np.mean([clip.split("/")[0] == known[index].split("/")[0] for clip, index in pairs])


def test_only_the_order_of_frames_tells_all_classes_apart(tracks):
    blind, sighted = accuracy(tracks, unordered), accuracy(tracks, ordered)
    assert blind <= 0.75
    assert sighted > blind + 0.1


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_horizontal_flip_does_not_turn_a_class_into_its_pair(first, second):
    scenes = [scene(name, group=appearance(2), seed=4) for name in (first, second)]
    same, other = (trend(track(each)) for each in scenes)
    assert np.allclose(trend(track(scenes[0], flipped=True)), same)
    assert np.abs(same - other).max() > 0.02
