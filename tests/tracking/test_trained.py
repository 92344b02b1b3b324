"""Files of a trained model, as MLflow takes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tracking.trained import epoch_metrics, params_of, read_trained, tags_of
from tests.tracking.conftest import write_bundle

Write = Callable[..., tuple[Path, Path]]


def test_record_and_metrics_become_scalars(trained: Write) -> None:
    scalars = read_trained(*trained(train_seconds=63.5)).scalars
    assert scalars["train_seconds"] == 63.5
    assert scalars["parameters"] == 215_000
    assert scalars["test/video_accuracy"] == 0.92
    assert scalars["test/class_accuracy/Ski _ Dive _fast_"] == 0.8
    assert "seed" not in scalars
    assert "params/batch_size" not in scalars


def test_forms_of_a_bundle_become_scalars(trained: Write) -> None:
    train, evaluate = trained()
    scalars = read_trained(train, evaluate, write_bundle(train)).scalars
    assert scalars["forms/int8/video_accuracy"] == 0.9
    assert "forms/int8/video_accuracy" not in read_trained(train, evaluate).scalars


def test_params_and_tags_say_what_made_the_model(trained: Write) -> None:
    record = read_trained(*trained("csn-flow")).record
    params, tags = params_of(record), tags_of(record)
    assert params.items() >= {"architecture": "csn", "stream": "flow", "batch_size": "16"}.items()
    assert tags["pipeline.key"] == "key of csn-flow"
    assert tags["dataset_hash"] == "d4"
    assert tags["git_revision"] == tags["mlflow.source.git.commit"] == "0123abc"


def test_history_is_read_by_metric_and_epoch(trained: Write) -> None:
    history = read_trained(*trained()).history
    assert history["epoch/loss", 0] == 1.1
    assert {epoch for _, epoch in history} == {0, 1, 2}


def test_an_empty_cell_of_the_history_is_no_value(trained: Write) -> None:
    rows = [{"epoch": 0, "loss": 1.0, "validation_loss": ""}]
    assert set(read_trained(*trained(rows=rows)).history) == {("epoch/loss", 0)}


def test_epochs_end_at_their_seconds_since_the_start(trained: Write) -> None:
    assert read_trained(*trained()).elapsed() == {0: 12_500, 1: 25_000, 2: 37_500}


def test_an_unfinished_evaluation_counts_as_none(trained: Write) -> None:
    train, evaluate = trained()
    (evaluate / "metrics.json").unlink()
    unfinished = read_trained(train, evaluate)
    assert not unfinished.tests
    assert not unfinished.figures
    assert unfinished.fingerprint == read_trained(train, None).fingerprint


@pytest.mark.parametrize(
    "name", ["model.keras", "record.json", "history.csv", "metrics.json", "confusion.png"]
)
def test_every_file_counts_in_the_fingerprint(trained: Write, name: str) -> None:
    train, evaluate = trained()
    before = read_trained(train, evaluate).fingerprint
    path = next(folder / name for folder in (train, evaluate) if (folder / name).is_file())
    path.write_bytes(path.read_bytes() + b"\n")
    assert read_trained(train, evaluate).fingerprint != before


@given(st.dictionaries(st.text(min_size=1), st.floats() | st.text() | st.booleans() | st.none()))
def test_epoch_metrics_are_finite_and_named_as_mlflow_allows(row: dict[str, object]) -> None:
    from mlflow.utils.validation import validate_param_and_metric_name

    for name, value in epoch_metrics(row).items():
        assert name.startswith("epoch/")
        assert validate_param_and_metric_name(name)
        assert abs(value) < float("inf")


def test_a_bundle_counts_only_if_it_is_whole_and_of_this_training(trained: Write) -> None:
    folders = trained()
    bundle = write_bundle(folders[0])
    made = read_trained(*folders, bundle)
    assert made.bundle == bundle
    assert made.scalars["forms/int8/video_accuracy"] == 0.9
    assert made.fingerprint != read_trained(*folders).fingerprint
    (bundle / "model.keras").write_bytes(b"of an earlier training")
    assert read_trained(*folders, bundle).bundle is None
    assert read_trained(*folders, bundle.with_name("missing")).bundle is None
