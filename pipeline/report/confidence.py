"""The report's part on probabilities: whether they hold what they say, and what refusing gains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    top_accuracy,
)
from pipeline.evaluation.predictions import Predictions
from pipeline.report.figures import png
from pipeline.report.html import Section, template

_PER_ROW = 4
_GREY, _BLUE = "#999999", "#4477aa"
_SURE = 0.8  # share of the clips whose error the table states


@dataclass(frozen=True)
class Confidence:
    """A model's videos: probabilities as trained, and after its temperature."""

    name: str
    temperature: float
    raw: Predictions
    calibrated: Predictions


def section(models: Sequence[Confidence]) -> Section:
    """Errors of the probabilities before and after the temperature."""
    part = template("confidence.html")
    return Section("Confidence", part.confidence(map(_cells, models), png(figure(models), dpi=130)))


def figure(models: Sequence[Confidence]) -> Figure:
    """A reliability diagram per model, and the risk–coverage curves of all in the last panel."""
    panels_needed = len(models) + 1
    columns = min(_PER_ROW, panels_needed)
    rows = -(-panels_needed // columns)
    drawing = Figure(figsize=(2.5 * columns, 2.7 * rows), layout="constrained")
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for panel, model in zip(panels, models, strict=False):
        _reliability(panel, model)
    panels[0].legend(fontsize=8, frameon=False)
    _risks(panels[len(models)], models)
    for spare in panels[panels_needed:]:
        spare.set_visible(False)
    return drawing


def _reliability(panel: Axes, model: Confidence) -> None:
    """Accuracy by confidence; the larger a dot, the more clips."""
    panel.plot([0, 1], [0, 1], color="black", linewidth=0.5, linestyle="dotted")
    for label, videos, colour in (
        ("as trained", model.raw, _GREY),
        ("calibrated", model.calibrated, _BLUE),
    ):
        bins = reliability(videos)
        x, y = [each.confidence for each in bins], [each.accuracy for each in bins]
        area = [4 + 120 * each.count / len(videos.labels) for each in bins]
        panel.plot(x, y, color=colour, linewidth=1, label=label)
        panel.scatter(x, y, s=area, color=colour)
    _label(panel, model.name, "confidence", "accuracy")


def _risks(panel: Axes, models: Sequence[Confidence]) -> None:
    for model in models:
        coverage, risk = risk_coverage(model.calibrated)
        panel.plot(coverage, risk, linewidth=1, label=model.name)
    _label(panel, "most confident clips", "coverage", "error")
    panel.set_ylim(0, None)
    panel.legend(fontsize=7, frameon=False)


def _label(panel: Axes, title: str, x: str, y: str) -> None:
    panel.set_title(title, fontsize=9)
    panel.set_xlabel(x, fontsize=8)
    panel.set_ylabel(y, fontsize=8)
    panel.set(xlim=(0, 1.03), ylim=(0, 1.03))
    panel.tick_params(labelsize=8)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _cells(model: Confidence) -> tuple[str, ...]:
    both = (model.raw, model.calibrated)
    coverage, risk = risk_coverage(model.calibrated)
    sure = risk[np.searchsorted(coverage, _SURE)]
    return (
        model.name,
        f"{model.temperature:.2f}",
        *(f"{expected_calibration_error(videos):.1%}" for videos in both),
        *(f"{negative_log_likelihood(videos):.2f}" for videos in both),
        f"{1 - model.calibrated.accuracy:.1%}",
        f"{sure:.1%}",
        f"{top_accuracy(model.calibrated, 2):.1%}",
    )
