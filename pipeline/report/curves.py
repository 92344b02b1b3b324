"""How trainings went: accuracy by epoch."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Epochs = Sequence[Mapping[str, float]]

_PER_ROW = 3


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a history.csv, one per epoch."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def figure(histories: Mapping[str, Epochs]) -> Figure:
    """Accuracy in training and validation by epoch, one panel per model."""
    columns = min(_PER_ROW, len(histories))
    rows = -(-len(histories) // columns)
    drawing = Figure(figsize=(7.5, 0.6 + 1.9 * rows), layout="constrained")
    panels = drawing.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, (name, epochs) in zip(panels, histories.items(), strict=False):
        numbers = [row["epoch"] for row in epochs]
        panel.plot(numbers, [row["accuracy"] for row in epochs], color="#999999", label="training")
        if "val_accuracy" in epochs[0]:
            checked = [row["val_accuracy"] for row in epochs]
            panel.plot(numbers, checked, color="#4477aa", label="validation")
        panel.set_title(name, fontsize=9)
        panel.set(ylim=(0, 1.03), xlim=(0, None))
        panel.tick_params(labelsize=8)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    for spare in panels[len(histories) :]:
        spare.set_visible(False)
    drawing.supxlabel("epoch", fontsize=9)
    drawing.supylabel("accuracy", fontsize=9)
    panels[0].legend(fontsize=8, frameon=False, loc="lower right")
    return drawing
