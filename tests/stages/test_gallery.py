"""The stage gallery on three drawn test clips, with an untrained style network."""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.models import build
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.params import Gallery, Style, load_params
from pipeline.paths import CATALOGUE, FEATURES, GALLERY, STYLE
from pipeline.report import style_part
from pipeline.stages import gallery
from pipeline.style.networks import generator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory, film):
    """A work tree with clips, their catalogue, a feature network and one style network."""
    folder = tmp_path_factory.mktemp("project")
    rows = [
        {
            "clip": f"wave/{name}",
            "class_name": "wave",
            "split": "train" if name == "z" else "test",
            "path": str(film(folder / f"{name}.avi", frames=3)),
            "kept": True,
        }
        for name in ("a", "b", "c", "z")
    ]
    write_catalogue(build_catalogue(rows), folder / CATALOGUE)
    (folder / FEATURES).mkdir(parents=True)
    build("vgg_lstm", input_shape=(2, 32, 32, 3), classes=2).save(folder / FEATURES / "model.keras")
    network = folder / STYLE / "one"
    network.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    cv2.imwrite(str(network / "style.png"), noise)
    untrained = generator(widths=(4, 4, 4), blocks=1)
    replace_layers(untrained, PictureConv2D, keras.layers.Conv2D).save(network / "model.keras")
    record = {"method": "fast", "train_seconds": 1.5, "size_bytes": 1234, "key": "0"}
    (network / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def params():
    committed = load_params(ROOT / "params.yaml")
    quick = {"size": 32, "steps": 2, "steps_per_frame": 1}
    return committed.model_copy(
        update={
            "styles": {"one": Style(method="fast", photos="clips", style_images="brush")},
            "stylize": committed.stylize.model_copy(update=quick),
            "gallery": Gallery(clips=2, frames=2, size=32),
        }
    )


@pytest.fixture(scope="module")
def rows(project, params):
    """The comparison's rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        gallery.run(params)
    return json.loads((project / GALLERY / "comparison.json").read_text(encoding="utf-8"))


def test_every_method_is_a_row_and_nst_follows_the_first_style(rows):
    assert [(row["name"], row["method"], row["style"]) for row in rows] == [
        ("nst", "nst", "one"),
        ("one", "fast", "one"),
    ]


def test_a_network_has_the_costs_of_its_record_and_nst_has_no_training(rows, project):
    nst, fast = rows
    assert (nst["train_seconds"], fast["train_seconds"]) == (0.0, 1.5)
    assert (nst["size_bytes"], fast["size_bytes"]) == (
        (project / FEATURES / "model.keras").stat().st_size,
        1234,
    )


def test_videos_and_single_frames_are_both_evaluated(rows):
    for row in rows:
        values = [*row["video"].values(), *row["per_frame"].values(), row["seconds_per_frame"]]
        assert len(values) == 11
        assert all(np.isfinite(value) and value >= 0 for value in values)


def test_the_pictures_are_the_clips_above_the_results(rows, project):
    for row in rows:
        folder = project / GALLERY / row["name"]
        # Two clips side by side, 32 x 24 pixels each.
        assert cv2.imread(str(folder / "stylized.png")).shape == (2 * 24, 2 * 32, 3)
        assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == row


def test_without_styles_the_comparison_is_empty(project, params, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    gallery.run(params.model_copy(update={"styles": {}}))
    assert json.loads((tmp_path / "gallery/comparison.json").read_text(encoding="utf-8")) == []
    assert style_part.sections(tmp_path / "gallery") == []


def test_the_clips_are_spread_over_the_test_split(project, params, monkeypatch):
    monkeypatch.chdir(project)
    read = []
    first_frames = gallery.first_frames
    monkeypatch.setattr(
        gallery, "first_frames", lambda path, count: read.append(path) or first_frames(path, count)
    )
    clips = gallery._clips(params)
    assert [path.name for path in read] == ["a.avi", "c.avi"]
    assert [[frame.shape for frame in clip] for clip in clips] == [[(24, 32, 3)] * 2] * 2
