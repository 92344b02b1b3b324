"""compare: put all models, and the fusions of their streams, into one table and one report."""

import json
import logging
from pathlib import Path
from typing import Any

from pipeline.params import Params
from pipeline.report import comparison, data_part, html, models_part, style_part
from pipeline.report.comparison import Row
from pipeline.report.curves import read_history
from pipeline.report.models_part import Judged
from pipeline.stages.paths import EVALUATE, EXPLORE, GALLERY, RESULTS, TRAIN
from pipeline.training.evaluation import (
    Predictions,
    fuse,
    interval,
    most_confused,
    read_predictions,
)

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write results/comparison.{json,csv,md,png} and results/report.html."""
    rows = [_row(params, [name]) for name in params.models]
    rows += [_row(params, pair) for pair in _fusions(params)]
    RESULTS.mkdir(exist_ok=True)
    comparison.write_json(RESULTS / "comparison.json", rows)
    comparison.write_csv(RESULTS / "comparison.csv", rows)
    table = comparison.markdown(rows)
    (RESULTS / "comparison.md").write_text(table, encoding="utf-8")
    comparison.figure(rows).savefig(RESULTS / "comparison.png", dpi=120)
    report = _report(rows, [_judged(name) for name in params.models])
    (RESULTS / "report.html").write_text(report, encoding="utf-8")
    log.info("wrote %s and report.html\n\n%s", RESULTS / "comparison.md", table)


def _report(rows: list[Row], models: list[Judged]) -> str:
    """The page on models and data; the figure is the one just written."""
    picture = (RESULTS / "comparison.png").read_bytes()
    return html.page(
        "Which architecture suits these clips?",
        lead=f"{models_part.lead(rows)} The data: {data_part.lead(EXPLORE)}",
        sections=[
            *models_part.sections(rows, picture, models),
            *style_part.sections(GALLERY),
            *data_part.sections(EXPLORE),
        ],
    )


def _judged(name: str) -> Judged:
    videos = read_predictions(EVALUATE / name / "predictions.parquet").by_clip()
    return Judged(
        name=name,
        epochs=read_history(TRAIN / name / "history.csv"),
        confusion=EVALUATE / name / "confusion.png",
        mistakes=most_confused(videos, _MISTAKES),
    )


def _fusions(params: Params) -> list[list[str]]:
    """The pairs (rgb, flow) of models that share architecture and seed, trained from scratch."""
    names = {
        (m.architecture, m.seed, m.stream): name
        for name, m in params.models.items()
        if m.backbone == "scratch"
    }
    return [
        [name, names[architecture, seed, "flow"]]
        for (architecture, seed, stream), name in names.items()
        if stream == "rgb" and (architecture, seed, "flow") in names
    ]


def _row(params: Params, names: list[str]) -> Row:
    """The row of one model, or of the fusion of two, whose costs add up."""
    predictions = [read_predictions(EVALUATE / name / "predictions.parquet") for name in names]
    records = [_record(TRAIN / name / "record.json") for name in names]
    metrics = [_record(EVALUATE / name / "metrics.json") for name in names]
    windows = predictions[0] if len(names) == 1 else fuse(*predictions)
    return Row(
        architecture=params.models[names[0]].architecture,
        stream="+".join(params.models[name].stream for name in names),
        seed=params.models[names[0]].seed,
        backbone=params.models[names[0]].backbone,
        **_accuracies(windows, resamples=params.evaluate.resamples),
        **{cost: sum(record[cost] for record in records) for cost in _COSTS},
        latency_ms=sum(metric["latency_ms"] for metric in metrics),
        data_wait_fraction=max(record["data_wait_fraction"] for record in records),
        split=params.dataset.split,
        **{key: records[0][key] for key in ("dataset_hash", "precision", "hardware", "threads")},
    )


_MISTAKES = 3  # pairs of classes a model that the report names
_COSTS = ("parameters", "size_bytes", "train_seconds", "gflops")


def _accuracies(windows: Predictions, *, resamples: int) -> dict[str, Any]:
    videos = windows.by_clip()
    return {
        "clip_accuracy": windows.accuracy,
        "video_accuracy": videos.accuracy,
        "video_accuracy_ci95": interval(videos, resamples=resamples),
        "test_clips": len(videos.clips),
        "test_groups": len(set(videos.groups.tolist())),
        "classes": len(videos.classes),
    }


def _record(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
