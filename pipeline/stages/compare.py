"""compare: put all models, and the fusions of their streams, into one table and one report."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.candidates import (
    EvaluatedModel,
    Pair,
    Summary,
    candidates_of,
    compare_pairs,
    fusions,
    summarize,
)
from pipeline.evaluation.mistakes import confused_pairs, most_misclassified
from pipeline.evaluation.predictions import examples, most_confused, read_predictions
from pipeline.inference.calibration import calibrated
from pipeline.paths import EVALUATE, EXPLORE, EXPORT, GALLERY, RESULTS, SHARDS, TRAIN
from pipeline.report import candidates as report_candidates
from pipeline.report import (
    comparison,
    confidence,
    data_part,
    forms,
    html,
    models_part,
    style_part,
    understanding,
)
from pipeline.report.comparison import Row, row_of
from pipeline.report.confidence import Confidence
from pipeline.report.curves import read_history
from pipeline.report.exploration import strip
from pipeline.report.figures import png
from pipeline.report.models_part import ModelDetails
from pipeline.report.understanding import ClipMaps
from pipeline.shards.parquet import find_records
from pipeline.video.flow import encode_jpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.params import Params
    from pipeline.report.html import Section

log = logging.getLogger(__name__)

_CONFUSED_PAIRS = 3  # that the report names, of each model and of all
_CLIPS = 8  # that the report shows of those most models misclassify


def run(params: Params) -> None:
    """Write results/comparison.{json,csv,md,png}, forms.md, summary.json and report.html."""
    models = [evaluated_model(params, name) for name in params.models]
    compared = [*models, *fusions(models)]
    rows = [row_of(model, split=params.dataset.split) for model in compared]
    candidates = candidates_of(compared)
    summaries, pairs = [summarize(each) for each in candidates], compare_pairs(candidates)
    RESULTS.mkdir(exist_ok=True)
    _write_tables(rows, summaries, pairs)
    report = _report(models, rows, summaries, pairs)
    (RESULTS / "report.html").write_text(report, encoding="utf-8")
    log.info("wrote %s", RESULTS / "report.html")


def evaluated_model(params: Params, name: str, tree: Path = Path()) -> EvaluatedModel:
    """What train and evaluate wrote in a work tree for a model of params.yaml."""
    model, folder = params.models[name], tree / EVALUATE / name
    return EvaluatedModel(
        name=name,
        architecture=model.architecture,
        stream=model.stream,
        seed=model.seed,
        backbone=Path(model.backbone).name,  # a path is valid on one machine only
        record=_read_json(tree / TRAIN / name / "record.json"),
        metrics=_read_json(folder / "metrics.json"),
        windows=read_predictions(folder / "predictions.parquet"),
        controls={
            path.stem: read_predictions(path)
            for path in sorted((folder / "controls").glob("*.parquet"))
        },
        forms=_forms(tree / EXPORT / name),
    )


def _forms(bundle: Path) -> dict[str, Any]:
    """What was measured of each form; nothing where the model was not exported."""
    path = bundle / "metrics.json"
    forms: dict[str, Any] = _read_json(path)["forms"] if path.is_file() else {}
    return forms


def _write_tables(rows: list[Row], summaries: list[Summary], pairs: list[Pair]) -> None:
    comparison.write_json(RESULTS / "comparison.json", rows)
    comparison.write_csv(RESULTS / "comparison.csv", rows)
    report_candidates.write_json(RESULTS / "summary.json", summaries, pairs)
    table = comparison.markdown(rows) + report_candidates.markdown(summaries)
    (RESULTS / "comparison.md").write_text(table, encoding="utf-8")
    (RESULTS / "forms.md").write_text(forms.markdown(rows), encoding="utf-8")
    (RESULTS / "comparison.png").write_bytes(png(comparison.figure(rows), dpi=120))
    log.info("wrote %s\n\n%s", RESULTS / "comparison.md", table)


def _report(
    models: list[EvaluatedModel], rows: list[Row], summaries: list[Summary], pairs: list[Pair]
) -> str:
    """The page on models and data; the figure is the one just written."""
    picture = (RESULTS / "comparison.png").read_bytes()
    tested = report_candidates.section(summaries, pairs)
    return html.page(
        "Which architecture suits these clips?",
        lead=f"{models_part.lead(rows)} The data: {data_part.lead(EXPLORE)}",
        sections=[
            *models_part.sections(rows, picture, list(map(_details, models)), tested),
            confidence.section(list(map(_confidence, models))),
            *_single_clips(models),
            *style_part.sections(GALLERY),
            *data_part.sections(EXPLORE),
        ],
    )


def _details(model: EvaluatedModel) -> ModelDetails:
    return ModelDetails(
        name=model.name,
        epochs=read_history(TRAIN / model.name / "history.csv"),
        confusion=EVALUATE / model.name / "confusion.png",
        mistakes=most_confused(model.videos, _CONFUSED_PAIRS),
    )


def _confidence(model: EvaluatedModel) -> Confidence:
    temperature = _read_json(EXPORT / model.name / "metrics.json")["temperature"]
    return Confidence(
        name=model.name,
        temperature=temperature,
        raw=model.videos,
        calibrated=calibrated(model.windows, temperature),
    )


def _single_clips(models: Sequence[EvaluatedModel]) -> list[Section]:
    """The clips that most models misclassify, and the activation maps of one clip per class."""
    videos = {model.name: model.videos for model in models}
    found = most_misclassified(videos, _CLIPS)
    records = find_records(SHARDS.parent / "parquet", [each.clip for each in found])
    sheets = {clip: encode_jpeg(strip(record), quality=85) for clip, record in records.items()}
    pairs = confused_pairs(videos, _CONFUSED_PAIRS)
    return [
        understanding.misclassified(found, sheets, pairs, len(models)),
        understanding.activation_maps(_clip_maps(models)),
    ]


def _clip_maps(models: Sequence[EvaluatedModel]) -> list[ClipMaps]:
    return [
        ClipMaps(
            model=model.name,
            class_name=name,
            clip=clip,
            predicted=model.videos.predicted_class(clip),
            picture=(EVALUATE / model.name / "activation" / f"{name}.jpg").read_bytes(),
        )
        for name, clip in sorted(examples(models[0].videos).items())
        for model in models
    ]


def _read_json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
