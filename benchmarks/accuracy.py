"""What each network can do on UCF101: `make ucf101 CLIPS=FOLDER`, or `make ucf101` to download.

Trains every network once per official split, by the committed params, and evaluates it on that
split's test groups: the mean over the three splits is UCF101's own protocol, and `--splits 1` takes
a third of its time. What `--flow` and `--backbone` add can be trained on fewer: `--more-splits 1`.
Each split has a work tree under .ucf101, a clone of the committed code that shares DVC's cache, so
that a run that was killed resumes and finished trainings are not repeated.
Writes accuracy.json and, with names and hashes of the clips, accuracy_clips.tsv beside this file.
Memory and latency are measured last, in one process per network: leave the machine alone for that
minute.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.alone import alone
from benchmarks.lengths import by_frames
from pipeline.dataset.catalogue import kept, read_catalogue
from pipeline.evaluation.candidates import (
    Candidate,
    EvaluatedModel,
    Pair,
    compare_pairs,
    fusions,
    network_name,
    summarize,
)
from pipeline.evaluation.predictions import Predictions, class_accuracies
from pipeline.files import write_text
from pipeline.models import ARCHITECTURES, SCRATCH
from pipeline.orchestration.form import round_trip_yaml
from pipeline.orchestration.vcs import git
from pipeline.orchestration.worktree import make_worktree
from pipeline.params import load_params
from pipeline.paths import CATALOGUE, TRAIN
from pipeline.report.comparison import row_of
from pipeline.report.markdown import table
from pipeline.stages.compare import evaluated_model

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
CLIPS = RESULT.with_name("accuracy_clips.tsv")
TREES = ".ucf101"
SPLITS = (1, 2, 3)
BARS = {"rgb": 0.93, "rgb+flow": 0.97, "flow": 0.85}  # video accuracy, from scratch
PRETRAINED_BAR = 0.98
Models = Mapping[int, Sequence[EvaluatedModel]]  # by split
log = logging.getLogger("benchmarks.accuracy")


def main() -> None:
    """Train and evaluate what is missing, and write down what all networks reached."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = _more_rows(flow=options.flow, backbone=options.backbone)
    added = dict.fromkeys(options.more_splits or options.splits, rows)
    trees = make_trees(options.clips, options.splits, added)
    train(list(trees.values()))
    result = measured(trees)
    write_text(CLIPS, clip_list(trees[options.splits[0]]))
    write_text(RESULT, json.dumps(result, indent=2) + "\n")
    log.info("%s\n\n%s", json.dumps(result["bars"], indent=2), markdown(result))


# Work trees


def make_trees(
    clips: str, splits: Sequence[int], more_rows: Mapping[int, Mapping[str, Any]]
) -> dict[int, Path]:
    """A work tree per split, of the code that is committed now; those that exist stay.

    `more_rows` are the models beside those of params.yaml, by split.
    """
    commit = git("rev-parse", "--short", "HEAD", cwd=ROOT)
    trees = {split: ROOT / TREES / f"{commit}-split{split}" for split in splits}
    for split, tree in trees.items():
        make_worktree(ROOT, tree, {"dataset.source": clips, "dataset.split": split})
        add_models(tree / "params.yaml", more_rows.get(split, {}))
    return trees


def add_models(path: Path, rows: Mapping[str, Any]) -> None:
    """Add rows to `models` of a params.yaml; its comments stay."""
    yaml = round_trip_yaml()
    document = yaml.load(path.read_text(encoding="utf-8"))
    document["models"] |= rows
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


def _more_rows(*, flow: Sequence[str], backbone: str | None) -> dict[str, Any]:
    """Rows beside those of params.yaml: networks on flow, and a pretrained one."""
    rows = {f"{name}-flow": {"architecture": name, "stream": "flow", "seed": 0} for name in flow}
    if backbone:
        base = {"architecture": "resnet_lstm", "stream": "rgb", "seed": 0}
        rows["pretrained-rgb"] = base | {"backbone": backbone}
    return rows


def train(trees: Sequence[Path]) -> None:
    """Bring all models of all trees up to date, and say how far it is and how long it takes."""
    jobs = [(tree, name) for tree in trees for name in load_params(tree / "params.yaml").models]
    limit = load_params(trees[0] / "params.yaml").train.max_minutes
    minutes: list[float] = []
    for number, (tree, name) in enumerate(jobs):
        each = mean(minutes) if minutes else limit
        left = _hours((len(jobs) - number) * each)
        log.info("%d of %d: %s of %s; about %s left", number + 1, len(jobs), name, tree.name, left)
        started = time.perf_counter()
        command = [sys.executable, "-m", "dvc", "repro", f"evaluate@{name}"]
        subprocess.run(command, cwd=tree, check=True)
        if (took := (time.perf_counter() - started) / 60) > 1:  # else it was finished before
            minutes.append(took)


def _hours(minutes: float) -> str:
    return f"{int(minutes) // 60}:{int(minutes) % 60:02} h"


def clip_list(tree: Path) -> str:
    """One line per clip in use: its name and the SHA-256 of its content."""
    rows = kept(read_catalogue(tree / CATALOGUE)).to_pylist()
    return "".join(f"{row['clip']}\t{row['sha256']}\n" for row in rows)


# Results


def measured(trees: Mapping[int, Path]) -> dict[str, Any]:
    """All of it, from finished work trees by split."""
    models = {split: _models(tree) for split, tree in trees.items()}
    rows = [row_of(each, split=split) for split, found in models.items() for each in found]
    networks = by_network(models)
    candidates = [
        described(name, found) | _apart(trees, found) | _longer(trees, found)
        for name, found in networks.items()
    ]
    tested = pooled("", next(iter(networks.values())))
    return {
        "protocol": protocol(list(trees)),
        "classes": rows[0].classes,
        "test_clips": len(tested.clips),
        "test_groups": len(set(tested.groups.tolist())),
        **{key: getattr(rows[0], key) for key in ("hardware", "precision")},
        "candidates": candidates,
        "paired": [vars(pair) for pair in paired(networks)],
        "controls": [controlled(name, found) for name, found in networks.items()],
        "bars": bars(candidates),
        "rows": [vars(row) for row in rows],
    }


def protocol(splits: Sequence[int]) -> str:
    """What the accuracies are means of."""
    if len(splits) == 1:
        return f"Official split {splits[0]} of UCF101, one training"
    count = {2: "two", 3: "three"}[len(splits)]
    return f"Mean over {count} of UCF101's three official splits, one training per split"


def _models(tree: Path) -> list[EvaluatedModel]:
    params = load_params(tree / "params.yaml")
    found = [evaluated_model(params, name, tree) for name in params.models]
    return [*found, *fusions(found)]


def by_network(models: Models) -> dict[str, dict[int, EvaluatedModel]]:
    """Network and stream → split → its training on that split."""
    found: dict[str, dict[int, EvaluatedModel]] = defaultdict(dict)
    for split, each in models.items():
        for model in each:
            name = f"{network_name(model.architecture, model.backbone)} ({model.stream})"
            found[name][split] = model
    return dict(found)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several splits as one: their test groups do not overlap."""
    columns = ("clips", "groups", "labels", "probabilities")
    return Predictions(
        parts[0].classes,
        *(np.concatenate([getattr(each, name) for each in parts]) for name in columns),
    )


def pooled(name: str, found: Mapping[int, EvaluatedModel]) -> Candidate:
    """A network's trainings on several splits as one."""
    return Candidate(name, {0: joined([found[split].videos for split in sorted(found)])})


def paired(networks: Mapping[str, Mapping[int, EvaluatedModel]]) -> Iterator[Pair]:
    """Every pair of networks, tested on the splits that both were trained on."""
    for (one, by_one), (other, by_other) in combinations(networks.items(), 2):
        shared = by_one.keys() & by_other.keys()
        if shared:
            sides = ((one, by_one), (other, by_other))
            yield from compare_pairs(
                [pooled(name, {split: found[split] for split in shared}) for name, found in sides]
            )


def described(name: str, found: Mapping[int, EvaluatedModel]) -> dict[str, Any]:
    """Accuracies of a network over the splits, and what a model of it costs."""
    candidate = pooled(name, found)
    shares = {split: model.videos.accuracy for split, model in found.items()}
    first = next(iter(found.values()))
    return {
        "name": candidate.name,
        "stream": first.stream,
        "pretrained": first.backbone != SCRATCH,
        "trainings": len(found),
        "splits": shares,
        "mean": mean(shares.values()),
        "lowest": min(shares.values()),
        "highest": max(shares.values()),
        "ci95": summarize(candidate).ci95,
        "over_clips": float(candidate.correct.mean()),
        "over_groups": mean_over_groups(candidate),
        "by_class": class_accuracies(candidate.videos[0]),
        **_against_validation(found),
        "parameters": first.record["parameters"],
        "size_bytes": first.record["size_bytes"],
        "gflops": round(first.record["gflops"], 3),
        "train_minutes": round(mean(m.record["train_seconds"] for m in found.values()) / 60, 2),
    }


def mean_over_groups(candidate: Candidate) -> float:
    """The mean of the groups' accuracies: each counts alike, however many clips it has."""
    _, rows = np.unique(candidate.groups, return_inverse=True)
    return float((np.bincount(rows, weights=candidate.correct) / np.bincount(rows)).mean())


def _against_validation(found: Mapping[int, EvaluatedModel]) -> dict[str, float]:
    """Accuracies of windows in validation, and in the test; nothing for what had no validation."""
    models = [m for m in found.values() if "+" not in m.stream]
    validated = [m.record["validation_accuracy"] for m in models]
    if not models or None in validated:
        return {}
    return {
        "validation_clip_accuracy": mean(validated),
        "test_clip_accuracy": mean(m.metrics["clip_accuracy"] for m in models),
    }


def controlled(name: str, found: Mapping[int, EvaluatedModel]) -> dict[str, Any]:
    """Accuracies on one window a clip; p: of having lost that much by chance."""
    shown = {
        control: Candidate(control, {0: joined([m.controls[control] for m in found.values()])})
        for control in ("ordered", "still", "shuffled")
    }
    ordered, *others = shown.values()
    tests = {other.name: compare_pairs([ordered, other])[0].p for other in others}
    shares = {control: float(each.correct.mean()) for control, each in shown.items()}
    return {"name": name, **shares, "p": tests}


def bars(candidates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was to be shown, and whether it is; of flow and of pretrained networks, by the best."""
    found: dict[str, Any] = {}
    for stream, bar in BARS.items():
        means = _means(candidates, stream, pretrained=False)
        passed = {name: share >= bar for name, share in means.items()}
        key = f"{stream} from scratch, at least {bar:.0%}"
        if means:
            found[key] = passed if stream == "rgb" else any(passed.values())
    if taught := _means(candidates, "rgb", pretrained=True):
        found[f"pretrained, at least {PRETRAINED_BAR:.0%}"] = max(taught.values()) >= PRETRAINED_BAR
    return found


def _means(
    candidates: Sequence[Mapping[str, Any]], stream: str, *, pretrained: bool
) -> dict[str, float]:
    return {
        each["name"]: each["mean"]
        for each in candidates
        if each["stream"] == stream and each["pretrained"] is pretrained
    }


def _apart(trees: Mapping[int, Path], found: Mapping[int, EvaluatedModel]) -> dict[str, float]:
    """`cost`, in a process of its own; a fusion, being two models, has none."""
    split, model = next(iter(found.items()))
    if "+" in model.stream:
        return {}
    path = trees[split] / TRAIN / model.name / "model.keras"
    windows = load_params(trees[split] / "params.yaml").evaluate.windows
    costs: dict[str, float] = alone(cost, path, windows)
    log.info("%s: %s", model.name, costs)
    return costs


def _longer(trees: Mapping[int, Path], found: Mapping[int, EvaluatedModel]) -> dict[str, Any]:
    """Video accuracies by frames in a window, of networks on rgb without a backbone of its own."""
    first = next(iter(found.values()))
    if first.stream != "rgb" or first.backbone != SCRATCH:
        return {}
    splits = [alone(by_frames, trees[split], model.name) for split, model in found.items()]
    return {"by_frames": {frames: mean(each[frames] for each in splits) for frames in splits[0]}}


def cost(model: Path, windows: int) -> dict[str, float]:
    """Peak memory and latency of one clip's inference; for a process that does nothing else."""
    import keras

    from pipeline.evaluation.cost import latency_ms
    from pipeline.evaluation.predict import inference

    before = _peak_mib()
    network = keras.saving.load_model(model, compile=False)
    infer = inference(network)
    latency = latency_ms(lambda x: infer(x).numpy(), network.input_shape[1:], windows=windows)
    return {
        "latency_clip_ms": round(latency, 1),
        "peak_mib": round(_peak_mib(), 1),
        "peak_mib_beside_libraries": round(_peak_mib() - before, 1),
    }


def markdown(result: dict[str, Any]) -> str:
    """The candidates as a table for README, best first."""
    head = (
        *("network", "stream", "trainings", "video accuracy: mean (range)"),
        *("95% interval of the mean", "parameters", "size", "training", "GFLOPs"),
        *("latency a clip", "peak memory"),
    )
    ordered = sorted(result["candidates"], key=lambda each: each["mean"], reverse=True)
    threads = " or ".join(str(count) for count in sorted({r["threads"] for r in result["rows"]}))
    unequal = len({each["trainings"] for each in ordered}) > 1
    partly = "; a network with fewer trainings was tested on as many splits" if unequal else ""
    caption = (
        f"\n{result['protocol']}; {result['test_clips']} test clips of "
        f"{result['test_groups']} groups in {result['classes']} classes; {result['hardware']}, "
        f"{threads} for each training{partly}; memory is of a process that loads one model and "
        "classifies a clip, TensorFlow included.\n"
    )
    return table(head, map(_cells, ordered)) + caption


def _cells(each: dict[str, Any]) -> tuple[object, ...]:
    network, _, stream = each["name"].partition(" (")
    return network, stream.rstrip(")"), each["trainings"], *_accuracy(each), *_costs(each)


def _accuracy(each: dict[str, Any]) -> Iterator[str]:
    """Mean and range, then the interval."""
    shares = [f"{100 * each[key]:.1f}" for key in ("mean", "lowest", "highest")]
    yield "{} % ({} – {})".format(*shares)
    yield "{:.1f} – {:.1f} %".format(*(100 * share for share in each["ci95"]))


def _costs(each: dict[str, Any]) -> Iterator[str]:
    yield f"{each['parameters'] / 1e6:.2f} M"
    yield f"{each['size_bytes'] / 1e6:.1f} MB"
    yield f"{each['train_minutes']:.1f} min"
    yield f"{each['gflops']:.2f}"
    yield f"{each['latency_clip_ms']:.0f} ms" if "latency_clip_ms" in each else "–"
    yield f"{each['peak_mib']:.0f} MiB" if "peak_mib" in each else "–"


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", default="ucf101", help="a folder, zip or rar; unset: downloads")
    parser.add_argument("--splits", type=int, nargs="+", default=SPLITS, choices=SPLITS)
    parser.add_argument(
        "--flow",
        nargs="+",
        default=[],
        choices=ARCHITECTURES,
        help="trained on flow, too, and fused",
    )
    parser.add_argument(
        "--more-splits",
        type=int,
        nargs="+",
        choices=SPLITS,
        help="where --flow and --backbone are trained; unset: as --splits",
    )
    parser.add_argument("--backbone", help="mobilenet, or a file of weights: one more network")
    options = parser.parse_args()
    if absent := sorted(set(options.more_splits or ()) - set(options.splits)):
        parser.error(f"--more-splits has {absent}, and must be among --splits {options.splits}")
    return options


if __name__ == "__main__":
    main()
