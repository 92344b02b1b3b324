import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.dataset.catalogue import SCHEMA, class_names, read_catalogue
from pipeline.dataset.inspection import inspect_one
from pipeline.errors import SourceError
from pipeline.params import load_params
from pipeline.paths import CATALOGUE, CLIPS
from pipeline.stages import subset

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return path


@pytest.fixture
def here(tmp_path, monkeypatch, film):
    """Two classes of 25 groups and one clip each, named as UCF101 names its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subset, "inspect", inspect_here)
    ids = [f"{name}/v_{name}_g{group:02}_c01" for name in "AB" for group in range(1, 26)]
    rows = [
        {"clip": i, "class_name": i[0], "path": f"{i}.avi", "size": 1, "source_split": None}
        for i in ids
    ]
    for row in rows:
        Path(row["path"]).parent.mkdir(exist_ok=True)
        shutil.copy(film, row["path"])
    CLIPS.parent.mkdir(parents=True)
    CLIPS.write_text(json.dumps(rows))
    return tmp_path


def inspect_here(paths, cache, *, workers):
    """Without other processes, which take seconds to start."""
    assert workers is None
    return [inspect_one(path, cache) for path in paths]


def run():
    subset.run(load_params(ROOT / "params.yaml"))
    return read_catalogue(CATALOGUE)


def metrics():
    return json.loads(CATALOGUE.with_name("metrics.json").read_text())


def test_the_catalogue_says_all_there_is_to_say_and_a_bad_clip_is_named(here, caplog):
    (here / "A" / "v_A_g08_c01.avi").write_bytes(b"")
    table = run()
    assert table.schema == SCHEMA
    assert class_names(table) == ["A", "B"]
    bad, good = table.slice(7, 2).to_pylist()
    assert (bad["kept"], bad["reason"], bad["frames"]) == (False, "the file is empty", None)
    assert (good["kept"], good["reason"], good["frames"], good["fps"]) == (True, "", 5, 25.0)
    assert (good["group"], good["duration"], good["width"]) == ("A/g09", 0.2, 64)
    assert (metrics()["kept"], metrics()["quarantined"]) == (49, 1)
    assert metrics()["splits"] == {"test": 14, "train": 27, "validation": 8}
    assert metrics()["classes"]["B"] == {"test": 7, "train": 14, "validation": 4}
    assert "quarantined A/v_A_g08_c01: the file is empty" in caplog.text


def test_without_validation_the_other_groups_are_all_trained_on(here):
    params = load_params(ROOT / "params.yaml")
    none = params.dataset.model_copy(update={"validation": 0.0})
    subset.run(params.model_copy(update={"dataset": none}))
    assert set(metrics()["splits"]) == {"train", "test"}


def test_a_class_with_nothing_to_test_on_is_an_error_without_a_catalogue(here):
    for group in range(1, 8):
        (here / "B" / f"v_B_g{group:02}_c01.avi").write_bytes(b"")
    with pytest.raises(SourceError, match="class B has no usable clip in the test split"):
        run()
    assert not CATALOGUE.exists()


def own(film, *names, **halves):
    """Clips of one's own on disk, in clips.json."""
    rows = []
    for name in names:
        path = Path("own", *name.split("/")).with_suffix(".avi")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, path)
        row = {"clip": name, "class_name": name.split("/")[0], "path": str(path), "size": 1}
        rows.append(row | {"source_split": halves.get(name.split("/")[1][:4])})
    CLIPS.write_text(json.dumps(rows))


@pytest.mark.usefixtures("here")
def test_few_clips_serve_and_a_quarantined_one_leaves_no_split_empty(film):
    names = [f"{name}/{number}" for name in "AB" for number in range(4)]
    own(film, *names)
    splits = {row["clip"]: row["split"] for row in run().to_pylist()}
    (first,) = [n for n in names if n[0] == "A" and splits[n] == "test"][:1]
    Path("own", f"{first}.avi").write_bytes(b"")
    kept = [row for row in run().to_pylist() if row["kept"]]
    for name in "AB":
        assert {r["split"] for r in kept if r["class_name"] == name} == {
            "train",
            "validation",
            "test",
        }


@pytest.mark.usefixtures("here")
def test_the_splits_of_the_source_are_kept_and_in_the_catalogue(film):
    names = [f"A/{half}{number}" for half in ("trai", "test") for number in range(4)]
    own(film, *names, trai="train", test="test")
    for row in run().to_pylist():
        if row["source_split"] == "test":
            assert row["split"] == "test"
        else:
            assert (row["source_split"], row["split"] != "test") == ("train", True)


@pytest.mark.usefixtures("here")
def test_classes_that_cannot_serve_are_all_named_without_a_catalogue(film):
    own(film, "A/1", "A/2", "B/1", "C/1", "C/2", "C/3")
    with pytest.raises(SourceError, match=r"class A .* 2 groups.*\n.*class B .* 1 groups"):
        run()
    assert not CATALOGUE.exists()
