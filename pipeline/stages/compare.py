"""compare: put all models, and the fusions of their streams, into one table and one report."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.candidates import Candidate, Pair, Summary, compare_pairs, summarize
from pipeline.evaluation.mistakes import confused_pairs, most_mistaken
from pipeline.evaluation.predictions import (
    Predictions,
    examples,
    fuse,
    most_confused,
    read_predictions,
)
from pipeline.evaluation.statistics import group_interval
from pipeline.models import SCRATCH
from pipeline.paths import EVALUATE, EXPLORE, GALLERY, RESULTS, SHARDS, TRAIN
from pipeline.report import candidates as report_candidates
from pipeline.report import (
    comparison,
    data_part,
    html,
    models_part,
    style_part,
    understanding,
)
from pipeline.report.comparison import Row
from pipeline.report.curves import read_history
from pipeline.report.exploration import strip
from pipeline.report.html import Section
from pipeline.report.models_part import Judged
from pipeline.report.understanding import Looked
from pipeline.shards.parquet import find_records
from pipeline.video.flow import encode_jpeg

if TYPE_CHECKING:
    from pipeline.params import Params

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write results/comparison.{json,csv,md,png}, summary.json and report.html."""
    judged = [[name] for name in params.models] + _fusions(params)
    rows = [_row(params, names) for names in judged]
    candidates = _candidates(rows, judged)
    summaries = [summarize(each) for each in candidates]
    pairs = compare_pairs(candidates)
    RESULTS.mkdir(exist_ok=True)
    comparison.write_json(RESULTS / "comparison.json", rows)
    comparison.write_csv(RESULTS / "comparison.csv", rows)
    report_candidates.write_json(RESULTS / "summary.json", summaries, pairs)
    table = comparison.markdown(rows) + report_candidates.markdown(summaries)
    (RESULTS / "comparison.md").write_text(table, encoding="utf-8")
    comparison.figure(rows).savefig(RESULTS / "comparison.png", dpi=120)
    report = _report(list(params.models), rows, summaries, pairs)
    (RESULTS / "report.html").write_text(report, encoding="utf-8")
    log.info("wrote %s and report.html\n\n%s", RESULTS / "comparison.md", table)


def _candidates(rows: list[Row], judged: list[list[str]]) -> list[Candidate]:
    """Rows that differ in nothing but the seed, together."""
    videos: dict[str, dict[int, Predictions]] = defaultdict(dict)
    for row, names in zip(rows, judged, strict=True):
        name = f"{row.network} ({row.stream})"
        if row.seed in videos[name]:  # they differ in more: each stands for itself
            name = "+".join(names)
        videos[name][row.seed] = _answers(names).by_clip()
    return [Candidate(name, seeds) for name, seeds in videos.items()]


def _report(models: list[str], rows: list[Row], summaries: list[Summary], pairs: list[Pair]) -> str:
    """The page on models and data; the figure is the one just written."""
    picture = (RESULTS / "comparison.png").read_bytes()
    judged = [_judged(name) for name in models]
    tested = report_candidates.section(summaries, pairs)
    return html.page(
        "Which architecture suits these clips?",
        lead=f"{models_part.lead(rows)} The data: {data_part.lead(EXPLORE)}",
        sections=[
            *models_part.sections(rows, picture, judged, tested),
            *_single_clips(models),
            *style_part.sections(GALLERY),
            *data_part.sections(EXPLORE),
        ],
    )


def _single_clips(models: list[str]) -> list[Section]:
    """The clips that most models mistake, and where each model looks in one clip a class."""
    videos = {name: _answers([name]).by_clip() for name in models}
    found = most_mistaken(videos, _CLIPS)
    records = find_records(SHARDS.parent / "parquet", [each.clip for each in found])
    sheets = {clip: encode_jpeg(strip(record), quality=85) for clip, record in records.items()}
    pairs = confused_pairs(videos, _MISTAKES)
    return [
        understanding.mistaken(found, sheets, pairs, len(models)),
        understanding.looked(_looked(videos)),
    ]


def _looked(videos: dict[str, Predictions]) -> list[Looked]:
    first = next(iter(videos.values()))
    return [
        Looked(
            model=model,
            class_name=name,
            clip=clip,
            guess=each.classes[each.probabilities[each.clips.tolist().index(clip)].argmax()],
            picture=(EVALUATE / model / "activation" / f"{name}.jpg").read_bytes(),
        )
        for name, clip in sorted(examples(first).items())
        for model, each in videos.items()
    ]


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
        if m.backbone == SCRATCH
    }
    return [
        [name, names[architecture, seed, "flow"]]
        for (architecture, seed, stream), name in names.items()
        if stream == "rgb" and (architecture, seed, "flow") in names
    ]


def _row(params: Params, names: list[str]) -> Row:
    """The row of one model, or of the fusion of two, whose costs add up."""
    records = [_record(TRAIN / name / "record.json") for name in names]
    metrics = [_record(EVALUATE / name / "metrics.json") for name in names]
    return Row(
        architecture=params.models[names[0]].architecture,
        stream="+".join(params.models[name].stream for name in names),
        seed=params.models[names[0]].seed,
        backbone=Path(params.models[names[0]].backbone).name,  # a path is of one machine
        **_accuracies(_answers(names)),
        **_controlled(names),
        frames=records[0]["params"]["frames"],
        stride=records[0]["params"]["stride"],
        **{cost: sum(record[cost] for record in records) for cost in _COSTS},
        latency_ms=sum(metric["latency_ms"] for metric in metrics),
        data_wait_fraction=max(record["data_wait_fraction"] for record in records),
        split=params.dataset.split,
        **{key: records[0][key] for key in ("dataset_hash", "precision", "hardware", "threads")},
    )


def _controlled(names: list[str]) -> dict[str, Any]:
    return {f"{name}_accuracy": _answers(names, f"controls/{name}").accuracy for name in _CONTROLS}


def _answers(names: list[str], file: str = "predictions") -> Predictions:
    """What one model said, or two fused."""
    said = [read_predictions(EVALUATE / name / f"{file}.parquet") for name in names]
    return said[0] if len(said) == 1 else fuse(*said)


_CONTROLS = ("ordered", "still", "shuffled")
_MISTAKES = 3  # pairs of classes that the report names, of each model and of all
_CLIPS = 8  # mistaken clips that the report shows
_COSTS = ("parameters", "size_bytes", "train_seconds", "gflops")


def _accuracies(windows: Predictions) -> dict[str, Any]:
    videos = windows.by_clip()
    return {
        "clip_accuracy": windows.accuracy,
        "video_accuracy": videos.accuracy,
        "video_accuracy_ci95": group_interval(videos.correct, groups=videos.groups),
        "test_clips": len(videos.clips),
        "test_groups": len(set(videos.groups.tolist())),
        "classes": len(videos.classes),
    }


def _record(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
