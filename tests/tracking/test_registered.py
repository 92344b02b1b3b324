"""Registered models, fetched from a real registry in a SQLite store."""

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from pipeline.errors import BundleError, TrackingError
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.files import files_hash
from pipeline.tracking.lookup import BUNDLE
from pipeline.tracking.promotion import Answers, promote
from pipeline.tracking.registered import BUNDLE_FOLDER, fetch, fetch_bundle


@pytest.fixture
def model(tmp_path: Path, store: str) -> Path:
    """The folder of a registered model that holds a bundle."""
    bundle = tmp_path / "model" / BUNDLE_FOLDER
    bundle.mkdir(parents=True)
    (bundle / "card.json").write_text("{}")
    (bundle / "int8.tflite").write_bytes(b"network")
    client = MlflowClient(store, registry_uri=store)
    client.create_registered_model("clips")
    client.create_model_version(
        "clips", (tmp_path / "model").as_uri(), tags={BUNDLE: files_hash(bundle.iterdir())}
    )
    return tmp_path / "model"


def test_a_registered_model_s_file_is_fetched(trained, store, tiny_model, tmp_path):
    answers = Answers(("A",), {"A/a": "A/g1"}, {"A/a": True})
    promote(*trained("csn-rgb"), answers, tracking_uri=store, test=paired_permutation_test)
    for uri in ("models:/video-classification@champion", "models:/video-classification/1"):
        file = fetch(uri, tmp_path / "fetched", tracking_uri=store)
        assert file.suffix == ".keras"
        assert file.stat().st_size > 0.5 * tiny_model.stat().st_size


def test_one_that_is_not_there_is_an_error_that_names_it(store, tmp_path):
    with pytest.raises(TrackingError, match="did not give models:/none/1"):
        fetch("models:/none/1", tmp_path / "fetched", tracking_uri=store)


def test_a_bundle_is_fetched_once(model, store, tmp_path, monkeypatch):
    bundle = fetch_bundle("models:/clips/1", tmp_path / "bundles", tracking_uri=store)
    names = sorted(path.name for path in bundle.iterdir())
    assert names == ["card.json", "int8.tflite"]
    monkeypatch.delattr(mlflow, "artifacts")
    assert fetch_bundle("models:/clips/1", tmp_path / "bundles", tracking_uri=store) == bundle
    assert list((tmp_path / "bundles").iterdir()) == [bundle]


def test_a_bundle_that_was_changed_is_refused(model, store, tmp_path):
    (model / BUNDLE_FOLDER / "int8.tflite").write_bytes(b"another")
    with pytest.raises(BundleError, match="not those that were registered"):
        fetch_bundle("models:/clips/1", tmp_path / "bundles", tracking_uri=store)
    assert not list((tmp_path / "bundles").iterdir())


def test_a_version_without_a_bundle_is_an_error_that_says_what_to_do(trained, store, tmp_path):
    answers = Answers(("A",), {"A/a": "A/g1"}, {"A/a": True})
    promote(*trained("csn-rgb"), answers, tracking_uri=store, test=paired_permutation_test)
    with pytest.raises(BundleError, match=r"version 1 of video-classification.*no bundle"):
        fetch_bundle("models:/video-classification@champion", tmp_path, tracking_uri=store)
