"""promote: let the best model of these params challenge the champion in MLflow's registry."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from pipeline.dataset.catalogue import kept, read_catalogue
from pipeline.dataset.names import path_on_disk
from pipeline.errors import TrackingError
from pipeline.evaluation.predictions import Predictions, read_predictions
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.files import json_hash, write_text
from pipeline.inference.bundles import FETCHED
from pipeline.inference.card import read_card
from pipeline.paths import CATALOGUE, EVALUATE, EXPORT, PROMOTION, TRAIN
from pipeline.tracking.address import tracking_uri

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.params import Params
    from pipeline.tracking.promotion import Answers, Match

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write results/promotion.json, and say why the challenger was promoted, or why not."""
    # Here, since importing MLflow takes seconds.
    from pipeline.tracking.origin import collect_origin
    from pipeline.tracking.promotion import Challenger, promote

    for name in params.models:
        _require_evaluated(name)
    model = max(params.models, key=_merit)
    videos = read_predictions(EVALUATE / model / "predictions.parquet").by_clip()
    with TemporaryDirectory() as folder:
        inputs = {"params": Path("params.yaml"), "lock": Path("dvc.lock"), "catalogue": CATALOGUE}
        origin = collect_origin(Path(folder), TRAIN / model / "model.keras", **inputs)
        promotion = promote(
            Challenger(TRAIN / model, EVALUATE / model, _answers(videos), EXPORT / model, origin),
            tracking_uri=tracking_uri(),
            test=partial(paired_permutation_test, alternative="greater"),
            rematch=partial(_rematch, videos),
        )
    write_text(PROMOTION, json.dumps(asdict(promotion), indent=2) + "\n")
    log.info(promotion.verdict)


def _answers(videos: Predictions) -> Answers:
    from pipeline.tracking.promotion import Answers

    clips = videos.clips.tolist()
    hashes = _column(read_catalogue(CATALOGUE), "sha256")
    return Answers(
        classes=videos.classes,
        groups=dict(zip(clips, videos.groups.tolist(), strict=True)),
        correct=dict(zip(clips, videos.correct.tolist(), strict=True)),
        test_set=json_hash({clip: hashes[clip] for clip in clips}),
    )


def _rematch(videos: Predictions, uri: str) -> Match:
    """What the challenger and the champion at `uri` answer to the same question."""
    from pipeline.inference.rematch import rematch
    from pipeline.tracking.promotion import Match
    from pipeline.tracking.registered import fetch_bundle, fetch_origin

    bundle = fetch_bundle(uri, FETCHED, tracking_uri=tracking_uri())
    now = read_catalogue(CATALOGUE)
    with TemporaryDirectory() as folder:
        origin = fetch_origin(uri, Path(folder), tracking_uri=tracking_uri())
        unfair = clips_seen(now, read_catalogue(origin / CATALOGUE.name))
    paths = {clip: path_on_disk(path) for clip, path in _column(now, "path").items()}
    pair = rematch(videos, bundle, paths, unfair)
    known = read_card(bundle).classes
    added = set(videos.classes) - set(known) if set(known) <= set(videos.classes) else ()
    return Match(
        _answers(pair.challenger),
        _answers(pair.champion),
        added=tuple(sorted(added)),
        note=f"; the champion was evaluated again, on {len(pair.champion.clips)} of "
        f"{len(videos.clips)} test clips",
    )


def clips_seen(now: pa.Table, then: pa.Table) -> set[str]:
    """Clips of today's catalogue in whose groups a model of an earlier one has trained."""
    trained = kept(then).filter(pc.field("split") != "test")
    groups, hashes = (set(trained[name].to_pylist()) for name in ("group", "sha256"))
    contents = _column(now, "sha256")
    return {
        clip
        for clip, group in _column(now, "group").items()
        if group in groups or contents[clip] in hashes
    }


def _column(catalogue: pa.Table, name: str) -> dict[str, str]:
    """A column by clip."""
    return dict(zip(catalogue["clip"].to_pylist(), catalogue[name].to_pylist(), strict=True))


def _require_evaluated(model: str) -> None:
    for file in (TRAIN / model / "record.json", EVALUATE / model / "predictions.parquet"):
        if not file.is_file():
            raise TrackingError(f"{file} does not exist; run `dvc repro` before promoting")


def _merit(model: str) -> tuple[float, float]:
    """How good a model is on the validation groups: the test groups only confirm."""
    record = json.loads((TRAIN / model / "record.json").read_text(encoding="utf-8"))
    if record["validation_loss"] is None:
        raise TrackingError(
            f"{model} was trained without validation groups, and only they may choose a "
            "challenger; set dataset.validation above 0"
        )
    return record["validation_accuracy"], -record["validation_loss"]
