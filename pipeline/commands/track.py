"""track: bring MLflow up to date with what is on disk."""

import json
import logging
from pathlib import Path

from pipeline.params import Params
from pipeline.paths import EVALUATE, GALLERY, STYLE, TRAIN
from pipeline.tracking.address import tracking_uri
from pipeline.tracking.status import is_tracked
from pipeline.tracking.trained import experiment_of, read_trained

log = logging.getLogger(__name__)

Folders = tuple[Path, Path]  # of what was trained, and of how it was judged
VIEW = Path("mlflow/comparison.json")


def run(params: Params) -> None:
    """Make or complete the run of every network that is trained; seconds only if there is one."""
    uri = tracking_uri()
    made = [(TRAIN / name, EVALUATE / name) for name in params.models]
    made += [(STYLE / name, GALLERY / name) for name in params.styles]
    trained = [folders for folders in made if (folders[0] / "record.json").is_file()]
    try:
        missing = [folders for folders in trained if not _is_tracked(folders, uri)]
    except OSError as error:
        log.warning("MLflow at %s is away; run this again once it is back: %s", uri, error)
        return
    log.info(
        "%d of %d networks were in MLflow at %s", len(trained) - len(missing), len(trained), uri
    )
    if missing:
        _track(missing, uri)


def _is_tracked(folders: Folders, uri: str) -> bool:
    trained = read_trained(*folders)
    return is_tracked(trained.fingerprint, uri, experiment_of(trained.record))


def _track(missing: list[Folders], uri: str) -> None:
    # Here, since importing MLflow and Keras takes seconds, and most often there is nothing to do.
    from pipeline.tracking.runs import upsert
    from pipeline.tracking.store import save_view

    added = [made.name for made, judged in missing if upsert(made, judged, tracking_uri=uri)]
    if added:
        view = json.loads(VIEW.read_text(encoding="utf-8"))
        save_view("comparison", view, tracking_uri=uri)
        log.info("MLflow now has %s", ", ".join(added))
