"""Training a style network as the stage does it; then stylizing with it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.commands import stylize
from pipeline.errors import ParamsError, StyleError
from pipeline.models import build
from pipeline.params import Style, load_params
from pipeline.paths import FEATURES, STYLE
from pipeline.stages import style

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with photographs, a painting and a feature network."""
    folder = tmp_path_factory.mktemp("project")
    (folder / FEATURES).mkdir(parents=True)
    build("vgg_lstm", input_shape=(2, 32, 32, 3), classes=2).save(folder / FEATURES / "model.keras")
    random = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for name in ("photos/a.png", "photos/b.png", "painting.png", "other.png"):
        noise = random.integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(noise, (64, 48)))
    return folder


@pytest.fixture
def params(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # nobody listens there
    params = load_params(ROOT / "params.yaml")
    monkeypatch.setattr(style, "WIDTHS", (4, 4, 4))
    monkeypatch.setattr(style, "BLOCKS", 1)
    rows = {
        "one": Style(method="fast", photos="photos", style_images="painting.png"),
        "gan": Style(method="cyclegan", photos="photos", style_images="photos"),
        "many": Style(method="fast", photos="photos", style_images="photos"),
    }
    return params.model_copy(
        update={
            "styles": rows,
            "cyclegan": params.cyclegan.model_copy(update={"size": 32, "steps": 2}),
            "fast": params.fast.model_copy(update={"size": 48, "steps": 2, "batch_size": 1}),
        }
    )


@pytest.fixture
def trained(params):
    """The folder of the network that learned painting.png."""
    if not (STYLE / "one").exists():
        style.run(params, "one")
    return STYLE / "one"


def test_it_leaves_a_network_with_its_record_history_and_pictures(trained):
    record = json.loads((trained / "record.json").read_text())
    assert record["method"] == "fast"
    assert record["params"]["steps"] == 2
    assert record["size_bytes"] == (trained / "model.keras").stat().st_size
    header, *rows = (trained / "history.csv").read_text().splitlines()
    assert header.startswith("epoch,loss,content,style,total_variation,stability,val_loss")
    assert len(rows) == 2
    assert cv2.imread(str(trained / "samples.png")).shape[0] == 2 * 96
    assert not list(Path(".state/style").iterdir())


@pytest.mark.parametrize("named", ["painting.png", "one", "data/style/one/model.keras"])
def test_a_picture_is_stylized_by_the_network_of_its_style(params, trained, tmp_path, named):
    stylize.run(params, Path("other.png"), tmp_path / "out.png", "fast", Path(named))
    assert cv2.imread(str(tmp_path / "out.png")).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("other.png", r"no fast network has learned other\.png; .* `dvc repro style@NAME`"),
        ("many", r"many is not trained yet; run `dvc repro style@many`"),
        ("none.keras", r"none\.keras does not exist"),
        ("none.png", r"none\.png does not exist"),
    ],
)
def test_where_no_network_is_trained_the_error_says_how(params, trained, tmp_path, named, said):
    with pytest.raises(StyleError, match=said):
        stylize.run(params, Path("other.png"), tmp_path / "out.png", "fast", Path(named))
    assert not list(tmp_path.iterdir())


def test_a_cyclegan_s_generator_stylizes(params, tmp_path):
    style.run(params, "gan")
    header = (STYLE / "gan" / "history.csv").read_text().splitlines()[0]
    assert header.startswith("epoch,loss,adversarial,cycle,identity,discriminator,val_loss")
    stylize.run(params, Path("other.png"), tmp_path / "out.png", "cyclegan", Path("gan"))
    assert cv2.imread(str(tmp_path / "out.png")).shape == (48, 64, 3)


def test_fast_learns_from_one_picture(params):
    with pytest.raises(
        ParamsError, match=r"styles\.many\.style_images is photos, which is not one picture"
    ):
        style.run(params, "many")


def test_a_row_that_is_not_there_is_an_error_that_lists_those_that_are(params):
    with pytest.raises(
        ParamsError, match=r"styles has no 'two'; params\.yaml lists one, gan, many"
    ):
        style.run(params, "two")
