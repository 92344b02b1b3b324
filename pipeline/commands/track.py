"""track: bring MLflow up to date with the models on disk."""

import json
import logging
from pathlib import Path

from pipeline.params import Params
from pipeline.paths import EVALUATE, EXPORT, GALLERY, STYLE, TRAIN
from pipeline.tracking.address import tracking_uri
from pipeline.tracking.runs import is_tracked, upsert
from pipeline.tracking.store import FAILURES, save_view
from pipeline.tracking.trained import read_trained

log = logging.getLogger(__name__)

VIEW = Path("mlflow/comparison.json")


def run(params: Params) -> None:
    """Make or complete the run of every trained model and style network."""
    uri = tracking_uri()
    made: list[tuple[Path, Path, Path | None]]
    made = [(TRAIN / name, EVALUATE / name, EXPORT / name) for name in params.models]
    made += [(STYLE / name, GALLERY / name, None) for name in params.styles]
    trained = [each for each in made if (each[0] / "record.json").is_file()]
    try:
        missing = [each for each in trained if not is_tracked(read_trained(*each), uri)]
        save_view("comparison", json.loads(VIEW.read_text(encoding="utf-8")), tracking_uri=uri)
    except FAILURES as error:
        log.warning("MLflow at %s is away; run this again once it is back: %s", uri, error)
        return
    log.info("MLflow at %s has %d of %d models", uri, len(trained) - len(missing), len(trained))
    added = [folders[0].name for folders in missing if upsert(*folders, tracking_uri=uri)]
    if added:
        log.info("added %s", ", ".join(added))
