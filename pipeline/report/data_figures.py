"""Figures of the data: small multiples by class, and classes in order of a measure."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.5  # inches
SPLITS = {"train": "#4477aa", "validation": "#ccbb44", "test": "#ee6677"}
CHANNELS = {"red": "#dd3344", "green": "#228833", "blue": "#3366cc"}
_PER_ROW = 3
_ONE, _ALL = "#4477aa", "#cccccc"


def lengths(clips: pd.DataFrame, column: str, *, unit: str) -> Figure:
    """One histogram per class before that of all clips, on common axes; the last bin is open."""
    values = clips[column].dropna()
    edges = np.linspace(0, max(float(values.quantile(0.99)), 1e-3), 25)
    by_class = {str(name): rows[column] for name, rows in clips.groupby("class_name")}
    shares = {name: _shares(part, edges) for name, part in by_class.items()}
    drawing, panels = _multiples(len(by_class))
    for panel, (name, part) in zip(panels, by_class.items(), strict=True):
        panel.stairs(_shares(values, edges), edges, fill=True, color=_ALL)
        panel.stairs(shares[name], edges, fill=True, color=_ONE, alpha=0.8)
        panel.axvline(part.median(), color="black", linewidth=1)
        panel.set_title(name, fontsize=9)
        panel.set(xlim=(0, edges[-1]), ylim=(0, 1.05 * max(map(max, shares.values()))))
    drawing.supxlabel(f"{unit} (grey: all classes; line: the class's median)", fontsize=9)
    drawing.supylabel("% of clips", fontsize=9, x=0.01)
    return drawing


def colours(clips: pd.DataFrame) -> Figure:
    """The mean histograms of red, green and blue of each class, on common axes."""
    seen = clips.dropna(subset=["histogram"])
    drawing, panels = _multiples(seen["class_name"].nunique())
    for panel, (name, rows) in zip(panels, seen.groupby("class_name"), strict=False):
        mean = 100 * np.mean(np.stack(rows["histogram"].to_list()), axis=0)
        values = (np.arange(mean.shape[1]) + 0.5) * 256 / mean.shape[1]
        for shares, colour in zip(mean, CHANNELS.values(), strict=True):
            panel.plot(values, shares, color=colour, linewidth=1.2)
            panel.fill_between(values, shares, color=colour, alpha=0.12)
        panel.set_title(name, fontsize=9)
        panel.set(xlim=(0, 255), ylim=(0, 300 / mean.shape[1]), xticks=(0, 128, 255))
    drawing.supxlabel(
        "value of a pixel's red, green and blue (peaks above three times an even spread are cut)",
        fontsize=9,
    )
    drawing.supylabel("% of pixels", fontsize=9, x=0.01)
    return drawing


def ranked(clips: pd.DataFrame, columns: dict[str, str]) -> Figure:
    """One box per class for each of `columns` (name → label), the largest median on top."""
    drawing = _wide(clips["class_name"].nunique())
    for panel, (column, label) in zip(
        np.atleast_1d(drawing.subplots(1, len(columns))), columns.items(), strict=True
    ):
        _boxes(panel, clips.dropna(subset=[column]), column)
        panel.set_xlabel(label, fontsize=9)
    return drawing


def splits(clips: pd.DataFrame) -> Figure:
    """Clips of each class by split, as bars in a row."""
    counts = pd.crosstab(clips["class_name"], clips["split"])
    counts = counts.reindex(columns=list(SPLITS), fill_value=0)[::-1]
    drawing = _wide(len(counts))
    axes = drawing.subplots()
    start = np.zeros(len(counts))
    for name, colour in SPLITS.items():
        axes.barh(counts.index, counts[name], left=start, color=colour, label=name, height=0.7)
        start += counts[name].to_numpy()
    axes.set_xlabel("clips", fontsize=9)
    _plain(axes)
    axes.margins(y=0.02)
    drawing.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return drawing


def _shares(values: pd.Series, edges: np.ndarray) -> np.ndarray:
    """Per cent of the values in each bin; those beyond the last edge count in the last bin."""
    counts, _ = np.histogram(np.minimum(values, edges[-1]), edges)
    return np.asarray(100 * counts / max(len(values), 1))


def _boxes(panel: Axes, clips: pd.DataFrame, column: str) -> None:
    by_class = {str(name): rows[column].to_numpy() for name, rows in clips.groupby("class_name")}
    order = sorted(by_class, key=lambda name: float(np.median(by_class[name])))
    panel.boxplot(
        [by_class[name] for name in order],
        orientation="horizontal",
        tick_labels=order,
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#bbccee", "edgecolor": _ONE},
        medianprops={"color": "black"},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": "#777777"},
    )
    panel.set_xlim(left=0)
    _plain(panel)


def _multiples(count: int) -> tuple[Figure, list[Axes]]:
    """`count` small panels with common axes, and no others."""
    columns = min(_PER_ROW, max(count, 1))
    rows = -(-max(count, 1) // columns)
    height = 0.85 + 1.6 * rows
    drawing = Figure(figsize=(WIDTH, height))
    # A layout that measures all texts takes seconds for a hundred classes.
    drawing.subplots_adjust(
        left=0.085, right=0.98, bottom=0.55 / height, top=1 - 0.3 / height, hspace=0.35, wspace=0.1
    )
    # Axes that share theirs redo each other's limits, which takes minutes for a hundred.
    panels = [drawing.add_subplot(rows, columns, place + 1) for place in range(count)]
    for place, panel in enumerate(panels):
        _plain(panel)
        panel.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= count)
    return drawing, panels


def _wide(classes: int) -> Figure:
    return Figure(figsize=(WIDTH, 1.0 + 0.26 * classes), layout="constrained")


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)
    panel.grid(axis="x", alpha=0.25)
