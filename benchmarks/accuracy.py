"""What each network can do on UCF101: `make ucf101 CLIPS=FOLDER`, or `make ucf101` to download.

Trains every network once per official split, by the committed params, and evaluates it on that
split's test groups: the mean over the three splits is UCF101's own protocol, and `--splits 1` takes
a third of its time. What `--flow` and `--backbone` add can be trained on fewer: `--more-splits 1`.
Each split has a work tree under .ucf101, a clone of the committed code that shares DVC's cache, so
that a run that was killed resumes and finished trainings are not repeated.
Writes accuracy.json and, with names and hashes of the clips, accuracy_clips.tsv beside this file.
accuracy_trainings.json keeps each training's answers, so that splits trained another day, by the
same settings, are added to those that are there.
Memory and latency are measured last, in one process per network: leave the machine alone for that
minute.
"""

import argparse
import json
import logging
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

from benchmarks.trainings import Study, Training, clip_list, measured, read_study, write_study
from pipeline.evaluation.candidates import Candidate, Pair, compare_pairs, summarize
from pipeline.evaluation.predictions import Predictions, class_accuracies
from pipeline.files import write_text
from pipeline.models import ARCHITECTURES, SCRATCH
from pipeline.orchestration.form import round_trip_yaml
from pipeline.orchestration.vcs import git
from pipeline.orchestration.worktree import make_worktree
from pipeline.params import load_params
from pipeline.report.markdown import table

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
CLIPS = RESULT.with_name("accuracy_clips.tsv")
TRAININGS = RESULT.with_name("accuracy_trainings.json")
TREES = ".ucf101"
SPLITS = (1, 2, 3)
BARS = {"rgb": 0.93, "rgb+flow": 0.97, "flow": 0.85}  # video accuracy, from scratch
PRETRAINED_BAR = 0.98
PRETRAINED_MINUTES = 5.0
log = logging.getLogger("benchmarks.accuracy")


def main() -> None:
    """Train and evaluate what is missing, and write down what all networks reached."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = _more_rows(flow=options.flow, backbone=options.backbone)
    added = dict.fromkeys(options.more_splits or options.splits, rows)
    trees = make_trees(options.clips, options.splits, added)
    train(list(trees.values()))
    study = measured(trees).added_to(read_study(TRAININGS))
    result = summary(study)
    write_study(TRAININGS, study)
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
        rows["pretrained-rgb"] = base | {"backbone": backbone, "max_minutes": PRETRAINED_MINUTES}
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


# Results


def summary(study: Study) -> dict[str, Any]:
    """What the trainings say together."""
    networks = by_network(study)
    candidates = [described(study, name, found) for name, found in networks.items()]
    tested = study.tested.values()
    rows = [each.row for each in study.trainings]
    return {
        "protocol": protocol(sorted(study.tested)),
        "classes": len(study.classes),
        "test_clips": sum(len(each.clips) for each in tested),
        "test_groups": sum(len(set(each.groups)) for each in tested),
        "hardware": " or ".join(sorted({row.hardware for row in rows})),
        "precision": rows[0].precision,
        "candidates": candidates,
        "paired": [vars(pair) for pair in paired(study, networks)],
        "controls": [controlled(study, name, found) for name, found in networks.items()],
        "aims": BARS,
        "bars": bars(candidates),
        "rows": [vars(row) for row in rows],
    }


def protocol(splits: Sequence[int]) -> str:
    """What the accuracies are means of."""
    if len(splits) == 1:
        return f"Official split {splits[0]} of UCF101, one training"
    which = {2: "two of UCF101's three", 3: "UCF101's three"}[len(splits)]
    return f"Mean over {which} official splits, one training per split"


def by_network(study: Study) -> dict[str, dict[int, Training]]:
    """Network and stream → split → its training on that split."""
    found: dict[str, dict[int, Training]] = defaultdict(dict)
    for each in study.trainings:
        found[each.row.name][each.row.split] = each
    return dict(found)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several splits as one: their test groups do not overlap."""
    columns = ("clips", "groups", "labels", "probabilities")
    return Predictions(
        parts[0].classes,
        *(np.concatenate([getattr(each, name) for each in parts]) for name in columns),
    )


def pooled(study: Study, name: str, found: Mapping[int, Training]) -> Candidate:
    """A network's trainings on several splits as one."""
    return Candidate(name, {0: joined([study.answers(found[split]) for split in sorted(found)])})


def paired(study: Study, networks: Mapping[str, Mapping[int, Training]]) -> Iterator[Pair]:
    """Every pair of networks, tested on the splits that both were trained on."""
    for (one, by_one), (other, by_other) in combinations(networks.items(), 2):
        shared = by_one.keys() & by_other.keys()
        if shared:
            sides = ((one, by_one), (other, by_other))
            yield from compare_pairs(
                [pooled(study, name, {s: found[s] for s in shared}) for name, found in sides]
            )


def described(study: Study, name: str, found: Mapping[int, Training]) -> dict[str, Any]:
    """Accuracies of a network over the splits, and what a model of it costs."""
    candidate = pooled(study, name, found)
    shares = {split: each.row.video_accuracy for split, each in found.items()}
    first = next(iter(found.values())).row
    return {
        "name": name,
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
        **_against_validation(list(found.values())),
        "parameters": first.parameters,
        "size_bytes": first.size_bytes,
        "gflops": round(first.gflops, 3),
        "train_minutes": round(mean(m.row.train_seconds for m in found.values()) / 60, 2),
        **next((each.cost for each in found.values() if each.cost), {}),
        **_longer(list(found.values())),
    }


def mean_over_groups(candidate: Candidate) -> float:
    """The mean of the groups' accuracies: each counts alike, however many clips it has."""
    _, rows = np.unique(candidate.groups, return_inverse=True)
    return float((np.bincount(rows, weights=candidate.correct) / np.bincount(rows)).mean())


def _against_validation(found: Sequence[Training]) -> dict[str, float]:
    """Accuracies of windows in validation, and in the test; nothing for what had no validation."""
    validated = [each.validation_accuracy for each in found]
    if None in validated:
        return {}
    return {
        "validation_clip_accuracy": mean(validated),
        "test_clip_accuracy": mean(each.row.clip_accuracy for each in found),
    }


def _longer(found: Sequence[Training]) -> dict[str, Any]:
    """Video accuracies by frames in a window, where they were measured."""
    lengths = found[0].by_frames
    means = {frames: mean(each.by_frames[frames] for each in found) for frames in lengths}
    return {"by_frames": means} if means else {}


def controlled(study: Study, name: str, found: Mapping[int, Training]) -> dict[str, Any]:
    """Accuracies on one window a clip; p: of having lost that much by chance."""
    shown = {
        control: Candidate(
            control, {0: joined([study.answers(each, control) for each in found.values()])}
        )
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
