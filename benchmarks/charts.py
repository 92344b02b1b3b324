"""Draw README's chart of the shards from committed JSON: `python -m benchmarks.charts`."""

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER = Path(__file__).parent
CHART = FOLDER / "shards.png"


def main() -> None:
    """Write shards.png beside this file."""
    drawing = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    extraction, loader = _read("extract"), _read("loader")
    _cost(left, extraction["against_decoding"])
    _growth(middle, extraction["growth"])
    _loading(right, loader)
    drawing.savefig(CHART, dpi=120)


def _read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


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
