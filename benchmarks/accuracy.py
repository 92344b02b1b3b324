"""What each network can do: run `python -m benchmarks.accuracy --data TREE` after its `dvc repro`.

TREE is a work tree whose params.yaml lists the models (several seeds, streams, backbones). Writes
accuracy.json beside this file: candidates, paired tests, controls and costs. Memory and latency are
measured here, in one process per network, so leave the machine alone for that minute.
"""

import argparse
import json
import logging
import resource
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.alone import alone
from pipeline.evaluation.candidates import Candidate, compare_pairs
from pipeline.evaluation.predictions import read_predictions
from pipeline.models import SCRATCH
from pipeline.params import Params, load_params
from pipeline.paths import EVALUATE, RESULTS, TRAIN
from pipeline.report.comparison import Row

RESULT = Path(__file__).with_suffix(".json")
BAR = 0.9  # of the videos, in the mean of the seeds, from scratch on rgb
FUSED_BAR = 0.95  # with flow, for the best; and for a pretrained backbone
log = logging.getLogger("benchmarks.accuracy")


def main() -> None:
    """Put together what the work tree measured, measure the costs, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(), help="the finished work tree")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = measured(options.data)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s\n\n%s", json.dumps(result["bars"], indent=2), markdown(result))


def measured(tree: Path) -> dict[str, Any]:
    """All of it, from a work tree."""
    params = load_params(tree / "params.yaml")
    rows = [Row(**row) for row in _read(tree / RESULTS / "comparison.json")]
    summary = _read(tree / RESULTS / "summary.json")
    seeds = by_candidate(params, rows)
    by_name = defaultdict(list)
    for row in rows:
        by_name[_name(row)].append(row)
    first = rows[0]
    return {
        **{key: getattr(first, key) for key in ("split", "classes", "test_clips", "test_groups")},
        **{key: getattr(first, key) for key in ("hardware", "precision")},
        "candidates": [
            each | _costs(by_name[each["name"]]) | _apart(tree, params, seeds.get(each["name"]))
            for each in summary["candidates"]
        ],
        "paired": summary["paired"],
        "controls": [_controlled(tree, name, models) for name, models in seeds.items()],
        "bars": bars(summary["candidates"], by_name),
        "rows": [asdict(row) for row in rows],
    }


def by_candidate(params: Params, rows: list[Row]) -> dict[str, dict[int, str]]:
    """Candidate → seed → model, for those that are one model a seed; compare keeps this order."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for model, row in zip(params.models, rows, strict=False):
        found[_name(row)][row.seed] = model
    return dict(found)


def bars(candidates: list[dict[str, Any]], by_name: dict[str, list[Row]]) -> dict[str, Any]:
    """What was to be shown, and whether it is: on these clips."""
    means = {each["name"]: each["mean"] for each in candidates}

    def those(stream: str, *, pretrained: bool) -> dict[str, float]:
        return {
            name: means[name]
            for name, (row, *_) in by_name.items()
            if row.stream == stream and (row.backbone != SCRATCH) is pretrained
        }

    scratch, fused = those("rgb", pretrained=False), those("rgb+flow", pretrained=False)
    taught = those("rgb", pretrained=True)
    return {
        "rgb from scratch above 90 %": {name: share > BAR for name, share in scratch.items()},
        "best rgb+flow above 95 %": max(fused.values(), default=0) > FUSED_BAR,
        "a pretrained backbone above 95 %": max(taught.values(), default=0) > FUSED_BAR,
    }


def cost(model: Path, windows: int) -> dict[str, float]:
    """Peak memory and latency of one clip's inference; for a process that does nothing else."""
    import keras

    from pipeline.evaluation.cost import latency_ms
    from pipeline.evaluation.predict import inference

    before = _peak_mib()
    network = keras.saving.load_model(model, compile=False)
    latency = latency_ms(inference(network), network.input_shape[1:], windows=windows)
    return {
        "latency_clip_ms": round(latency, 1),
        "peak_mib": round(_peak_mib(), 1),
        "peak_mib_beside_libraries": round(_peak_mib() - before, 1),
    }


def markdown(result: dict[str, Any]) -> str:
    """The candidates as a table for README, best first."""
    head = (
        "| network | stream | seeds | video accuracy: mean (range) | 95% interval of the mean "
        "| parameters | size | training | GFLOPs | latency a clip | peak memory |\n"
        f"|{' --- |' * 11}\n"
    )
    ordered = sorted(result["candidates"], key=lambda each: each["mean"], reverse=True)
    threads = " or ".join(str(count) for count in sorted({r["threads"] for r in result["rows"]}))
    caption = (
        f"\n{result['test_clips']} test clips of {result['test_groups']} groups in "
        f"{result['classes']} classes, split {result['split']}; {result['hardware']}, "
        f"{threads} for each training; memory is of a process that loads one model and "
        "classifies a clip, TensorFlow included.\n"
    )
    return head + "".join(map(_line, ordered)) + caption


def _line(each: dict[str, Any]) -> str:
    network, _, stream = each["name"].partition(" (")
    shares = [f"{100 * each[key]:.1f}" for key in ("mean", "lowest", "highest")]
    low, high = (f"{100 * share:.1f}" for share in each["ci95"])
    cells = (
        network,
        stream.rstrip(")"),
        len(each["seeds"]),
        "{} % ({} – {})".format(*shares),
        f"{low} – {high} %",
        f"{each['parameters'] / 1e6:.2f} M",
        f"{each['size_bytes'] / 1e6:.1f} MB",
        f"{each['train_minutes']:.1f} min",
        f"{each['gflops']:.2f}",
        f"{each['latency_clip_ms']:.0f} ms" if "latency_clip_ms" in each else "–",
        f"{each['peak_mib']:.0f} MiB" if "peak_mib" in each else "–",
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def _name(row: Row) -> str:
    return f"{row.network} ({row.stream})"


def _costs(seeds: list[Row]) -> dict[str, float]:
    """What a model of the candidate costs; times are means over its seeds."""
    return {
        "parameters": seeds[0].parameters,
        "size_bytes": seeds[0].size_bytes,
        "gflops": round(seeds[0].gflops, 3),
        "train_minutes": round(mean(row.train_seconds for row in seeds) / 60, 2),
    }


def _apart(tree: Path, params: Params, models: dict[int, str] | None) -> dict[str, float]:
    """`cost`, in a process of its own; a fusion, being two models, has none."""
    if not models:
        return {}
    model = tree / TRAIN / next(iter(models.values())) / "model.keras"
    found: dict[str, float] = alone(cost, model, params.evaluate.windows)
    log.info("%s: %s", model.parent.name, found)
    return found


def _controlled(tree: Path, name: str, models: dict[int, str]) -> dict[str, Any]:
    """Accuracies on one window a clip, over all seeds; p: of having lost that much by chance."""
    shown = {
        control: Candidate(control, {s: _control(tree, m, control) for s, m in models.items()})
        for control in ("ordered", "still", "shuffled")
    }
    ordered, *others = shown.values()
    tests = {other.name: compare_pairs([ordered, other])[0].p for other in others}
    shares = {control: float(each.correct.mean()) for control, each in shown.items()}
    return {"name": name, **shares, "p": tests}


def _control(tree: Path, model: str, control: str) -> Any:
    return read_predictions(tree / EVALUATE / model / "controls" / f"{control}.parquet").by_clip()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
