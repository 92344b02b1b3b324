"""The comparison of models: rows, tables and a figure."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from pipeline.evaluation.candidates import EvaluatedModel, network_name
from pipeline.models import SCRATCH
from pipeline.report.markdown import table


@dataclass(frozen=True)
class Row:
    """One model's line in `comparison.json`.

    Accuracies are shares in 0..1 on the test clips; `video_accuracy_ci95` is [low, high] of a
    interval over groups; `gflops` is 2 × multiply-adds of one window forward; `latency_ms` is
    the median for one window; `split` is UCF101's official split. The next three are
    accuracies on one window a clip: as it is, all frames replaced by the middle one, and frames
    shuffled. A window has `frames` frames, `stride` seconds apart. None: not measured. `forms` has
    what `export` measured of each form of the model, by its name.
    """

    architecture: str
    stream: str
    seed: int
    clip_accuracy: float
    video_accuracy: float
    video_accuracy_ci95: tuple[float, float]
    parameters: int
    size_bytes: int
    train_seconds: float
    gflops: float
    latency_ms: float
    data_wait_fraction: float
    split: int
    test_clips: int
    test_groups: int
    classes: int
    dataset_hash: str
    precision: str
    hardware: str
    threads: int
    backbone: str = SCRATCH
    ordered_accuracy: float | None = None
    still_accuracy: float | None = None
    shuffled_accuracy: float | None = None
    frames: int | None = None
    stride: float | None = None
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """The architecture, and whether ImageNet trained its CNN."""
        return network_name(self.architecture, self.backbone)

    @property
    def name(self) -> str:
        """Network, stream and, where it is not the first, seed."""
        seed = f", seed {self.seed}" if self.seed else ""
        return f"{self.network} ({self.stream}{seed})"


_FROM_RECORD = (
    *("parameters", "size_bytes", "train_seconds", "gflops", "data_wait_fraction"),
    *("dataset_hash", "precision", "hardware", "threads"),
)
_FROM_METRICS = ("clip_accuracy", "video_accuracy", "latency_ms", "test_clips", "test_groups")


def row_of(model: EvaluatedModel, *, split: int) -> Row:
    """The model's row, from what its training and evaluation wrote."""
    record, metrics = model.record, model.metrics
    return Row(
        architecture=model.architecture,
        stream=model.stream,
        seed=model.seed,
        backbone=model.backbone,
        video_accuracy_ci95=(metrics["video_accuracy_low"], metrics["video_accuracy_high"]),
        classes=len(model.windows.classes),
        frames=record["params"]["frames"],
        stride=record["params"]["stride"],
        split=split,
        forms=model.forms,
        **{f"{name}_accuracy": accuracy for name, accuracy in metrics["controls"].items()},
        **{key: metrics[key] for key in _FROM_METRICS},
        **{key: record[key] for key in _FROM_RECORD},
    )


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as a JSON list."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV, the interval in two columns, without the forms."""
    names = [each.name for each in fields(Row) if each.name != "forms"]
    place = names.index("video_accuracy_ci95")
    names[place : place + 1] = ["video_accuracy_low", "video_accuracy_high"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        for row in rows:
            line = asdict(row)
            del line["forms"]
            line["video_accuracy_low"], line["video_accuracy_high"] = line.pop(
                "video_accuracy_ci95"
            )
            table.writerow(line)


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table for people, best first, with what was measured on what."""
    head = (
        *("architecture", "stream", "seed", "video accuracy (95% interval)", "clip accuracy"),
        *("parameters", "size", "training", "GFLOPs", "latency"),
    )
    ordered = sorted(rows, key=lambda row: row.video_accuracy, reverse=True)
    return table(head, map(_cells, ordered)) + "\n" + _caption(rows[0])


def _cells(row: Row) -> tuple[object, ...]:
    low, high = row.video_accuracy_ci95
    return (
        row.network,
        row.stream,
        row.seed,
        f"{row.video_accuracy:.1%} ({low:.1%} – {high:.1%})",
        *measured(row),
    )


def _caption(row: Row) -> str:
    return (
        f"{row.test_clips} test clips of {row.test_groups} groups in {row.classes} classes, "
        f"split {row.split}; a video's accuracy averages its windows, a clip's takes each alone; "
        f"{row.hardware}, {row.threads} threads, {row.precision}.\n"
    )


def measured(row: Row) -> tuple[str, ...]:
    """Clip accuracy, parameters, size, training time, GFLOPs and latency, as people read them."""
    return (
        f"{row.clip_accuracy:.1%}",
        f"{row.parameters / 1e6:.2f} M",
        f"{row.size_bytes / 1e6:.1f} MB",
        f"{row.train_seconds / 60:.1f} min",
        f"{row.gflops:.2f}",
        f"{row.latency_ms:.0f} ms",
    )


def figure(rows: Sequence[Row]) -> Figure:
    """Video accuracy with its interval against parameters, size and training time."""
    drawing = Figure(figsize=(12, 4), layout="constrained")
    panels = drawing.subplots(1, 3, sharey=True)
    costs = ("parameters", "size_bytes", "train_seconds")
    titles = ("parameters", "size on disk (bytes)", "training time (s)")
    for panel, cost, title in zip(panels, costs, titles, strict=True):
        for row in rows:
            _point(panel, getattr(row, cost), row)
        panel.set(xscale="log", xlabel=title)
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(EngFormatter())
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("video accuracy on the test groups")
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return drawing


def _point(panel: Axes, cost: float, row: Row) -> None:
    low, high = row.video_accuracy_ci95
    error = [[row.video_accuracy - low], [high - row.video_accuracy]]
    name = f"{row.network} {row.stream} {row.seed}"
    panel.errorbar(cost, row.video_accuracy, yerr=error, fmt="o", capsize=3, label=name)
