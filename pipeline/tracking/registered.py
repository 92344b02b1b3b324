"""Files of registered models, fetched from MLflow."""

from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from pipeline.errors import BundleError, TrackingError
from pipeline.tracking.lookup import BUNDLE_FOLDER, ORIGIN, find_version
from pipeline.tracking.trained import bundle_hash


def fetch(uri: str, folder: Path, *, tracking_uri: str) -> Path:
    """Download `models:/NAME/VERSION` or `models:/NAME@ALIAS` to `folder`; its Keras file."""
    _download(uri, folder, tracking_uri)
    files = sorted(folder.rglob("*.keras"))
    if not files:
        raise TrackingError(f"{uri} holds no Keras file; name a version of a Keras model")
    return files[0]


def fetch_bundle(uri: str, folder: Path, *, tracking_uri: str) -> Path:
    """The folder of the bundle of `models:/NAME/VERSION` or `models:/NAME@ALIAS`, for reading.

    Kept in `folder` by its content: the second time nothing is downloaded, and MLflow not imported.
    Raises a TrackingError where there is no such version, a BundleError where it has no bundle.
    """
    version = find_version(uri, tracking_uri=tracking_uri)
    if not version.bundle:
        raise BundleError(
            f"{uri} is version {version.number} of {version.name}, which holds no bundle; run "
            "`dvc repro` and `python -m pipeline promote`, which register one"
        )
    bundle = folder / version.bundle[:16]
    if not bundle.is_dir():
        _take_bundle(version.uri, version.bundle, bundle, tracking_uri)
    return bundle


def fetch_origin(uri: str, folder: Path, *, tracking_uri: str) -> Path:
    """Download what the version was made from to `folder`; the folder of params.yaml and the rest.

    Raises a BundleError where the version was registered without it.
    """
    version = find_version(uri, tracking_uri=tracking_uri)
    try:
        _download(f"runs:/{version.run_id}/{ORIGIN}", folder, tracking_uri)
    except TrackingError as error:
        raise BundleError(
            f"{uri} does not say what it was made from: {error}; it was registered by an earlier "
            "release"
        ) from error
    return folder / ORIGIN


def _take_bundle(uri: str, expected: str, bundle: Path, tracking_uri: str) -> None:
    """Download the bundle to the folder `bundle`, whole or not at all."""
    bundle.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=".", dir=bundle.parent))
    try:
        _download(f"{uri}/{BUNDLE_FOLDER}", aside, tracking_uri)
        (found,) = {path.parent for path in aside.rglob("card.json")} or {aside}
        if bundle_hash(found) != expected:
            raise BundleError(
                f"the files of {uri} are not those that were registered; promote a model again"
            )
        if not bundle.is_dir():  # else another process was first
            found.rename(bundle)
    finally:
        rmtree(aside, ignore_errors=True)


def _download(uri: str, folder: Path, tracking_uri: str) -> None:
    # Here, since importing MLflow takes over a second, and most often the files are here already.
    import mlflow

    from pipeline.tracking.store import FAILURES

    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri)  # the arguments of download_artifacts do not reach all
    mlflow.set_registry_uri(tracking_uri)
    try:
        mlflow.artifacts.download_artifacts(uri, dst_path=str(folder))
    except FAILURES as error:
        raise TrackingError(f"MLflow at {tracking_uri} did not give {uri}: {error}") from error
