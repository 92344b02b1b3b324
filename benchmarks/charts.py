"""Draw README's charts from committed JSON: `python -m benchmarks.charts`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.models import SCRATCH

FOLDER = Path(__file__).parent


def main() -> None:
    """Write shards.png and, where they were measured, the other charts beside this file."""
    shards().savefig(FOLDER / "shards.png", dpi=120)
    if (FOLDER / "accuracy.json").is_file():
        accuracy(_read("accuracy")).savefig(FOLDER / "accuracy.png", dpi=120)
    if (FOLDER / "inference.json").is_file() and "hardware" in (forms := _read("inference")):
        inference(forms["networks"]).savefig(FOLDER / "inference.png", dpi=120)


def shards() -> Figure:
    """What extraction and the loader cost."""
    drawing = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    extraction, loader = _read("extract"), _read("loader")
    _cost(left, extraction["against_decoding"])
    _growth(middle, extraction["growth"])
    _loading(right, loader)
    return drawing


def accuracy(measured: dict[str, Any]) -> Figure:
    """Accuracy with intervals; under the controls; and by length of the windows."""
    ordered = sorted(measured["candidates"], key=lambda each: each["mean"])
    drawing = Figure(figsize=(12, 1.6 + 0.3 * len(ordered)), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    _standing(left, ordered, measured["rows"])
    left.axvline(100 * measured["aims"]["rgb"], color="#999999", linewidth=0.8, linestyle="--")
    _controls(middle, measured["controls"])
    _lengths(right, [each for each in measured["candidates"] if "by_frames" in each])
    return drawing


def inference(networks: dict[str, Any]) -> Figure:
    """What the forms of each network weigh, keep and take."""
    drawing = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    _forms(left, networks, lambda each, form: each["accuracy"][form]["size_bytes"] / 1e6)
    _forms(middle, networks, lambda each, form: 100 * each["accuracy"][form]["video_accuracy"])
    _forms(right, networks, lambda each, form: each["timing"]["1"][form])
    left.set(title="size", ylabel="MB")
    middle.set(title="video accuracy", ylabel="%", ylim=(0, 100))
    right.set(title="one window, one thread", ylabel="ms")
    right.legend(fontsize=8)
    return drawing


def _forms(panel: Axes, networks: dict[str, Any], value: Callable[[Any, str], float]) -> None:
    colours = {"keras": "#999999", "onnx": "#ccbb44", "float32": "#4477aa", "int8": "#ee6677"}
    for step, (form, colour) in enumerate(colours.items()):
        places = [place + 0.2 * (step - 1.5) for place in range(len(networks))]
        heights = [value(each, form) for each in networks.values()]
        panel.bar(places, heights, width=0.18, color=colour, label=form)
    panel.set_xticks(range(len(networks)), list(networks), fontsize=8)


def _read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _standing(panel: Axes, candidates: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """The mean with its interval over groups; a small bar per training."""
    for place, each in enumerate(candidates):
        low, high = each["ci95"]
        panel.plot([100 * low, 100 * high], [place, place], color="#4477aa", linewidth=1.5)
        panel.plot(100 * each["mean"], place, "o", color="#4477aa")
        network, _, stream = each["name"].rstrip(")").partition(" (")
        seeds = [100 * row["video_accuracy"] for row in rows if _belongs(row, network, stream)]
        panel.plot(seeds, [place] * len(seeds), "|", color="black", markersize=9)
    panel.set_yticks(range(len(candidates)), [each["name"] for each in candidates])
    panel.set(title="video accuracy (bars: trainings; dashed: aim)", xlabel="%")


def _belongs(row: dict[str, Any], network: str, stream: str) -> bool:
    pretrained = row["backbone"] != SCRATCH
    name = f"{row['architecture']}, pretrained" if pretrained else row["architecture"]
    return name == network and row["stream"] == stream


def _controls(panel: Axes, controls: list[dict[str, Any]]) -> None:
    """One window a clip: as it is, shuffled, still."""
    colours = {"ordered": "#4477aa", "shuffled": "#ccbb44", "still": "#ee6677"}
    for step, (control, colour) in enumerate(colours.items()):
        places = [place + 0.27 * (1 - step) for place in range(len(controls))]
        shares = [100 * each[control] for each in controls]
        panel.barh(places, shares, height=0.25, color=colour, label=control)
    panel.set_yticks(range(len(controls)), [each["name"] for each in controls])
    panel.set(title="accuracy of one window", xlabel="%", xlim=(0, 100))
    panel.set_ylim(-0.6, len(controls) + 0.4)  # a row for the legend
    panel.legend(
        fontsize=8, loc="upper center", ncols=len(colours), handlelength=1, columnspacing=1
    )


def _lengths(panel: Axes, candidates: list[dict[str, Any]]) -> None:
    """Video accuracy by frames in a window."""
    for each in candidates:
        frames = [int(number) for number in each["by_frames"]]
        shares = [100 * share for share in each["by_frames"].values()]
        panel.plot(frames, shares, "o-", label=each["name"])
    panel.set(title="video accuracy by frames", xlabel="frames in a window")
    panel.set_ylabel("%")
    if candidates:
        panel.legend(fontsize=8)


def _cost(panel: Axes, measured: dict[str, Any]) -> None:
    """Extraction beside decoding alone."""
    names = ("decoding", "extraction")
    bars = panel.barh(names, [measured[name]["seconds"] for name in names])
    panel.bar_label(bars, fmt="%.0f s", padding=3)
    panel.set(title=f"extraction: {measured['ratio']} × decoding alone", xlabel="seconds")
    panel.margins(x=0.2)


def _growth(panel: Axes, sizes: list[dict[str, float]]) -> None:
    """Time by clips; what a worker holds at most stands beside each point."""
    panel.plot([size["clips"] for size in sizes], [size["seconds"] for size in sizes], "o-")
    for size in sizes:
        at = (size["clips"], size["seconds"])
        panel.annotate(
            f"{size['peak_worker_mib']:.0f} MiB", at, (6, -10), textcoords="offset points"
        )
    panel.set(title="time and a worker's peak memory", xlabel="clips", ylabel="seconds")
    panel.margins(x=0.25)


def _loading(panel: Axes, measured: dict[str, Any]) -> None:
    """Windows a second: what is fed beside what is trained."""
    rates = {f"train {name}": rate for name, rate in measured["training_windows_a_second"].items()}
    rates |= {f"load {name}": rate for name, rate in measured["loading_windows_a_second"].items()}
    bars = panel.barh(list(rates), list(rates.values()))
    panel.bar_label(bars, fmt="%.0f", padding=3)
    panel.set(title="windows a second", xscale="log")
    panel.margins(x=0.3)


if __name__ == "__main__":
    main()
