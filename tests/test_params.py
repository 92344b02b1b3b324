"""params.yaml as it is committed, and what is refused."""

import re
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import parse_yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import ParamsError
from pipeline.files import read_yaml
from pipeline.models import ARCHITECTURES
from pipeline.params import REMOVED, RENAMED, Params, load_params

ROOT = Path(__file__).parents[1]
COMMITTED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def changed(tmp_path, **sections) -> Path:
    """A params.yaml with some values other than the committed ones."""
    params = {name: {**COMMITTED[name], **sections.get(name, {})} for name in COMMITTED}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    return path


def test_the_committed_params_are_valid_and_compare_all_architectures():
    params = load_params(ROOT / "params.yaml")
    rgb = {model.architecture for model in params.models.values() if model.stream == "rgb"}
    assert rgb == set(ARCHITECTURES)


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("train", {"epocs": 3}, r"train\.epocs: Extra inputs are not permitted \(value: 3\)"),
        ("train", {"max_steps": 0}, r"train\.max_steps: .*greater than or equal to 1 \(value: 0\)"),
        ("train", {"max_steps": "many"}, r"train\.max_steps: .*valid integer \(value: 'many'\)"),
        ("train", {"stride": 0.1}, r"train\.stride is 0\.1 s.* whole number of sampled frames"),
        ("train", {"crop": 100}, r"train\.crop is 100, but frames are stored at 128×96"),
        ("dataset", {"split": 4}, r"dataset\.split: .*1, 2 or 3 \(value: 4\)"),
        ("extract", {"width": 127}, r"extract\.width: .*multiple of 2 \(value: 127\)"),
        (
            "models",
            {"x": {"architecture": "vit", "stream": "rgb", "seed": 0}},
            r"r2plus1d, csn .*'vit'",
        ),
        (
            "models",
            {"x": {"architecture": "csn", "stream": "rgb", "seed": 0, "backbone": "mobilenet"}},
            r"only vgg_lstm and resnet_lstm on rgb take one; here it is csn on rgb",
        ),
        ("models", {"a/b": {"architecture": "csn", "stream": "rgb", "seed": 0}}, r"models.*a/b"),
    ],
)
def test_an_error_names_the_key_the_rule_and_the_value(tmp_path, section, values, said):
    with pytest.raises(ParamsError, match=said):
        load_params(changed(tmp_path, **{section: values}))


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_is_refused_with_its_new_name(tmp_path, old, new):
    section, *keys, name = old.split(".")
    values = {name: 0.5} if not keys else {"any": {name: 0.5}}
    key = old.replace("*", "any")
    with pytest.raises(ParamsError, match=f"{key}: it is now called {re.escape(new)} .value: 0.5"):
        load_params(changed(tmp_path, **{section: values}))


@pytest.mark.parametrize(("key", "reason"), REMOVED.items())
def test_a_removed_key_is_refused_with_the_reason(tmp_path, key, reason):
    section, name = key.split(".")
    with pytest.raises(ParamsError, match=f"{key}: remove it: {reason}"):
        load_params(changed(tmp_path, **{section: {name: 1}}))


def test_all_errors_are_told_at_once(tmp_path):
    path = changed(tmp_path, train={"max_steps": 0, "patience": 0}, extract={"fps": -1})
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    first, *rules = str(caught.value).splitlines()
    assert first == f"{path} breaks these rules:"
    assert [rule.partition(":")[0] for rule in rules] == [
        "- extract.fps",
        "- train.max_steps",
        "- train.patience",
    ]


def test_a_file_that_is_not_a_mapping_is_named_as_a_whole(tmp_path):
    (tmp_path / "params.yaml").write_text("- train\n")
    with pytest.raises(ParamsError, match=r"\n- params: .*\(value: \['train'\]\)"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(("length", "shown"), [(80, 80), (81, 80), (200, 80)])
def test_a_long_value_is_cut(tmp_path, length, shown):
    with pytest.raises(ParamsError) as caught:
        load_params(changed(tmp_path, train={"max_steps": "x" * (length - 2)}))
    value = str(caught.value).partition("(value: ")[2].removesuffix(")")
    assert len(value) == shown
    assert value.endswith("..." if length > 80 else "x'")


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(ParamsError, match="run from the repository's root"):
        load_params(tmp_path / "params.yaml")


def test_a_file_that_is_not_yaml_is_named(tmp_path):
    (tmp_path / "params.yaml").write_text("train: [")
    with pytest.raises(ParamsError, match=r"params\.yaml is not valid YAML"):
        load_params(tmp_path / "params.yaml")


def test_params_cannot_be_changed_after_they_are_checked():
    with pytest.raises(ValidationError, match="frozen"):
        load_params(ROOT / "params.yaml").train.max_steps = 3


@given(st.integers(1, 60), st.integers(1, 30))
def test_a_stride_of_whole_sampled_frames_is_taken_whatever_the_rate(fps, steps):
    train = COMMITTED["train"] | {"stride": steps / fps}
    extract = COMMITTED["extract"] | {"fps": float(fps)}
    Params.model_validate(COMMITTED | {"train": train, "extract": extract})


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("5e-05", 5e-5), ("0x10", 16), ("yes", "yes"), ("off", "off"), ("010", 10)],
)
def test_values_are_read_as_yaml_1_2(tmp_path, text, value):
    path = tmp_path / "params.yaml"
    path.write_text(f"value: {text}\n", encoding="utf-8")
    assert read_yaml(path) == {"value": value}


def test_a_small_rate_written_as_people_and_dvc_write_it_is_taken(tmp_path):
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path.write_text(re.sub(r"weight_decay: \S+", "weight_decay: 5e-05", text), encoding="utf-8")
    assert load_params(path).train.weight_decay == 5e-5


SCALARS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers().map(str),
    st.text("0123456789abefinostxyE.+-_~", min_size=1),
)


@given(SCALARS)
def test_any_scalar_means_what_it_means_to_dvc(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "scalar.yaml"
    path.write_text(f"value: {text}\n", encoding="utf-8")
    try:
        expected = parse_yaml(path.read_text(encoding="utf-8"), path)
    except Exception:  # noqa: BLE001 - what DVC refuses is not ours to read
        return
    assert repr(read_yaml(path)) == repr(expected)
