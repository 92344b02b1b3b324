"""What people type into a run's form: set, or refused with what there is."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import ParamsError
from pipeline.orchestration.form import apply_form, require_allowed_keys, require_allowed_paths

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


def filled(**values):
    return YAML(typ="safe").load(apply_form(TEXT, values))


def test_a_key_of_any_depth_is_set_and_nothing_else_changes():
    expected = YAML(typ="safe").load(TEXT)
    expected["models"]["csn-rgb"]["seed"] = 1
    assert filled(**{"models.csn-rgb.seed": 1}) == expected


def test_a_key_that_only_has_a_default_is_set():
    document = filled(**{"models.vgg_lstm-rgb.backbone": "weights.h5"})
    assert document["models"]["vgg_lstm-rgb"]["backbone"] == "weights.h5"


def test_comments_stay():
    assert "# official UCF101 split" in apply_form(TEXT, {"dataset.split": 2})


@pytest.mark.parametrize(
    ("values", "listed"),
    [
        ({"trian.max_steps": 1}, "dataset, extract, train"),
        ({"train.epoch": 1}, "frames, stride"),
        ({"max_steps": 1}, "dataset, extract, train"),
        ({"models.csn.seed": 1}, "vgg_lstm-rgb, resnet_lstm-rgb"),
        ({"train.max_steps.x": 1}, "single value"),
        ({"train": {"max_steps": 1}}, "train.max_steps"),
        ({"": 1}, "dataset, extract, train"),
    ],
)
def test_a_key_that_does_not_exist_is_refused_with_those_that_do(values, listed):
    with pytest.raises(ParamsError, match=listed):
        apply_form(TEXT, values)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("train.learning_rate", "1e-3", 0.001),
        ("train.max_steps", "7", 7),
        ("dataset.split", "2", 2),
        ("dataset.classes", "[Archery, Surfing]", ["Archery", "Surfing"]),
        ("dataset.classes", "all", "all"),
        ("dataset.source", "2024", "2024"),
        ("stylize.keep_colours", "true", True),
    ],
)
def test_a_value_typed_as_text_gets_the_type_of_its_key(name, text, value):
    section, key = name.split(".")
    assert filled(**{name: text})[section][key] == value


def test_a_value_against_a_rule_is_refused_with_the_rule():
    with pytest.raises(ParamsError, match=r"train\.max_steps.*greater than or equal to 1"):
        apply_form(TEXT, {"train.max_steps": 0})


@pytest.fixture
def bounded(tmp_path, monkeypatch):
    """A project whose forms may name what lies in sources and in a folder beside it."""
    project, beside = tmp_path / "project", tmp_path / "beside"
    for folder in (project / "sources", project / ".dvc", beside, tmp_path / "secrets"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("FORM_FOLDERS", f"sources:{beside}")
    return project


@pytest.mark.parametrize(
    "path",
    [
        "../secrets",
        "sources/../../secrets",
        "/etc/passwd",
        "/",
        ".",
        ".dvc",
        "~/.ssh",
        "sources-2",
        "link",
        "sources/link",
        "",
    ],
)
def test_a_form_that_is_bounded_names_nothing_else(bounded, path):
    for place in ("link", "sources/link"):
        (bounded / place).symlink_to(bounded.parent / "secrets")
    with pytest.raises(ParamsError, match=r"dataset\.source is .*; here a form may name only what"):
        require_allowed_paths({"dataset.source": path}, bounded)


@pytest.mark.parametrize("path", ["sample", "ucf101", "sources", "sources/a/b", "../beside/clips"])
def test_a_form_that_is_bounded_names_words_and_what_is_allowed(bounded, path):
    require_allowed_paths({"dataset.source": path}, bounded)


def test_a_form_that_is_bounded_changes_no_machine(bounded):
    with pytest.raises(ParamsError, match=r"machine\.dask_scheduler is a setting of the machine"):
        require_allowed_keys({"machine.dask_scheduler": "tcp://evil.example:8786"}, bounded)
    require_allowed_keys({"train.crop": 96}, bounded)


def test_a_form_that_is_not_bounded_names_anything(tmp_path, monkeypatch):
    monkeypatch.delenv("FORM_FOLDERS", raising=False)
    require_allowed_paths({"dataset.source": "/etc"}, tmp_path)
    require_allowed_keys({"machine.threads": 1}, tmp_path)
