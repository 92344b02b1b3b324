"""promote: let the best model of these params challenge the champion in MLflow's registry."""

import json
import logging
from dataclasses import asdict
from functools import partial

from pipeline.errors import TrackingError
from pipeline.evaluation.predictions import read_predictions
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.files import write_text
from pipeline.params import Params
from pipeline.paths import EVALUATE, PROMOTION, TRAIN
from pipeline.tracking.address import tracking_uri

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write results/promotion.json, and say why the challenger was promoted, or why not."""
    # Here, since importing MLflow takes seconds.
    from pipeline.tracking.promotion import Answers, promote

    model = max(params.models, key=_merit)
    videos = read_predictions(EVALUATE / model / "predictions.parquet").by_clip()
    clips = videos.clips.tolist()
    answers = Answers(
        classes=videos.classes,
        groups=dict(zip(clips, videos.groups.tolist(), strict=True)),
        correct=dict(zip(clips, videos.correct.tolist(), strict=True)),
    )
    test = partial(paired_permutation_test, alternative="greater")
    promotion = promote(
        TRAIN / model, EVALUATE / model, answers, tracking_uri=tracking_uri(), test=test
    )
    write_text(PROMOTION, json.dumps(asdict(promotion), indent=2) + "\n")
    log.info(promotion.verdict)


def _merit(model: str) -> tuple[float, float]:
    """How good a model is on the validation groups: the test groups only confirm."""
    record = json.loads((TRAIN / model / "record.json").read_text(encoding="utf-8"))
    if record["validation_loss"] is None:
        raise TrackingError(
            f"{model} was trained without validation groups, and only they may choose a "
            "challenger; set dataset.validation above 0"
        )
    return record["validation_accuracy"], -record["validation_loss"]
