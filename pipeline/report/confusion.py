"""The confusion matrix as a picture, and as the rows that DVC draws."""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.evaluation.predictions import Predictions, confusion


def figure(videos: Predictions, *, title: str) -> Figure:
    """Counts of videos, true classes in rows, each row coloured by its share."""
    counts = confusion(videos)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.45 * len(videos.classes)
    drawing = Figure(figsize=(side + 1, side), layout="constrained")
    axes = drawing.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(videos.classes))
    axes.set_xticks(places, videos.classes, rotation=45, ha="right")
    axes.set_yticks(places, videos.classes)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for row, column in zip(*counts.nonzero(), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour)
    return drawing


def write_csv(path: Path, videos: Predictions) -> None:
    """One line per video: actual, predicted; what DVC's `confusion` template takes."""
    guesses = videos.probabilities.argmax(axis=1)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("actual", "predicted"))
        for label, guess in zip(videos.labels, guesses, strict=True):
            table.writerow((videos.classes[label], videos.classes[guess]))
