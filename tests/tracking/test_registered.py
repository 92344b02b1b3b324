"""Registered models, fetched from a real registry in a SQLite store."""

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from pipeline.errors import BundleError, TrackingError
from pipeline.files import files_hash
from pipeline.tracking.lookup import BUNDLE, BUNDLE_FOLDER, CHAMPION_URI
from pipeline.tracking.promotion import Answers, Challenger, promote
from pipeline.tracking.registered import fetch, fetch_bundle, fetch_origin
from tests.tracking.conftest import write_bundle


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


@pytest.fixture
def register(trained, store):
    """Register a model with this bundle and these files of its origin."""

    def run(folders, **given):
        challenger = Challenger(*folders, Answers(("A",), {"A/a": "g"}, {"A/a": True}), **given)
        promote(challenger, tracking_uri=store, test=None, rematch=None)

    return run


@pytest.mark.parametrize("exported", [False, True], ids=["Keras model", "bundle"])
def test_a_registered_model_s_file_is_fetched(
    register, trained, store, tiny_model, tmp_path, exported
):
    folders = trained("csn-rgb")
    register(folders, bundle=write_bundle(folders[0]) if exported else None)
    for uri in (CHAMPION_URI, "models:/video-classification/1"):
        file = fetch(uri, tmp_path / "fetched", tracking_uri=store)
        assert file.suffix == ".keras"
        assert file.stat().st_size > 0.5 * tiny_model.stat().st_size


def test_a_registered_bundle_is_fetched_as_it_was_exported(register, trained, store, tmp_path):
    folders = trained("csn-rgb")
    exported = write_bundle(folders[0])
    register(folders, bundle=exported)
    bundle = fetch_bundle(CHAMPION_URI, tmp_path / "bundles", tracking_uri=store)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        path.name: path.read_bytes() for path in exported.iterdir()
    }


def test_what_a_version_was_made_from_is_fetched(register, trained, store, tmp_path):
    (tmp_path / "params.yaml").write_text("dataset: {}")
    register(trained("csn-rgb"), origin=[tmp_path / "params.yaml"])
    folder = fetch_origin(CHAMPION_URI, tmp_path / "fetched", tracking_uri=store)
    assert (folder / "params.yaml").read_text() == "dataset: {}"


def test_a_version_of_unknown_origin_is_an_error(register, trained, store, tmp_path):
    register(trained("csn-rgb"))
    with pytest.raises(BundleError, match="does not say what it was made from"):
        fetch_origin(CHAMPION_URI, tmp_path / "fetched", tracking_uri=store)


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


def test_a_version_without_a_bundle_is_an_error_that_says_what_to_do(
    register, trained, store, tmp_path
):
    register(trained("csn-rgb"))
    with pytest.raises(BundleError, match=r"version 1 of video-classification.*no bundle"):
        fetch_bundle(CHAMPION_URI, tmp_path, tracking_uri=store)
