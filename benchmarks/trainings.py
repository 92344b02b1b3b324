"""Every training on a split of UCF101 and its answers, as accuracy_trainings.json keeps them.

Trainings take hours: those of other splits, on another day or machine, are added to what the file
holds by the same settings.
"""

import json
import logging
import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alone import alone
from benchmarks.lengths import by_frames
from pipeline.dataset.catalogue import kept, read_catalogue
from pipeline.evaluation.candidates import EvaluatedModel, fusions
from pipeline.evaluation.predictions import Predictions
from pipeline.files import json_hash, write_text
from pipeline.models import SCRATCH
from pipeline.params import load_params
from pipeline.paths import CATALOGUE, TRAIN
from pipeline.report.comparison import Row, row_of
from pipeline.stages.compare import evaluated_model

log = logging.getLogger("benchmarks.trainings")


@dataclass(frozen=True)
class Training:
    """A network's training on one split, or a fusion of two.

    `model` is its row in params.yaml; a fusion has none. `predicted` numbers the likeliest class of
    each test clip, `controls` the same on one window a clip, in the order of the split's `Tested`.
    `cost` and `by_frames` are empty where they were not measured.
    """

    row: Row
    predicted: Sequence[int]
    controls: Mapping[str, Sequence[int]]
    validation_accuracy: float | None
    model: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    by_frames: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Tested:
    """The test clips of a split by name, with their groups and the numbers of their classes."""

    clips: Sequence[str]
    groups: Sequence[str]
    labels: Sequence[int]


@dataclass(frozen=True)
class Study:
    """All trainings by the same settings; `tested` is by split."""

    settings: Mapping[str, Any]
    classes: Sequence[str]
    tested: Mapping[int, Tested]
    trainings: Sequence[Training]

    def answers(self, training: Training, control: str | None = None) -> Predictions:
        """Its predictions on the split's test clips, all probability on the likeliest class."""
        tested = self.tested[training.row.split]
        predicted = training.controls[control] if control else training.predicted
        return Predictions(
            tuple(self.classes),
            np.array(tested.clips),
            np.array(tested.groups),
            np.array(tested.labels),
            np.eye(len(self.classes), dtype=np.float32)[list(predicted)],
        )

    def added_to(self, earlier: "Study | None") -> "Study":
        """Both together, where the settings are the same; what was trained anew is of this one."""
        if earlier is None or earlier.settings != self.settings:
            return self
        anew = {(each.row.name, each.row.split) for each in self.trainings}
        models = {each.row.name: each.model for each in self.trainings}
        others = [
            each
            for each in earlier.trainings
            if (each.row.name, each.row.split) not in anew
            and models.get(each.row.name, each.model) == each.model
        ]
        return Study(
            self.settings,
            self.classes,
            {**earlier.tested, **self.tested},
            sorted([*others, *self.trainings], key=lambda each: each.row.split),
        )


def write_study(path: Path, study: Study) -> None:
    """Write it as JSON, a line for each training."""
    document = asdict(study)
    trainings = ",\n".join(json.dumps(each) for each in document.pop("trainings"))
    head = json.dumps(document).removesuffix("}")
    write_text(path, f'{head}, "trainings": [\n{trainings}\n]}}\n')


def read_study(path: Path) -> Study | None:
    """What `write_study` wrote; None where nothing was."""
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return Study(
        document["settings"],
        document["classes"],
        {int(split): Tested(**each) for split, each in document["tested"].items()},
        [Training(**each | {"row": Row(**each["row"])}) for each in document["trainings"]],
    )


def measured(trees: Mapping[int, Path]) -> Study:
    """The trainings of finished work trees, by split, and what each network costs, once."""
    evaluated = {split: _evaluated(tree) for split, tree in trees.items()}
    tested = {split: models[0].videos for split, models in evaluated.items()}
    # A network may be missing on the first split.
    first = {each.name: split for split in reversed(trees) for each in evaluated[split]}
    return Study(
        settings=settings(next(iter(trees.values()))),
        classes=list(next(iter(tested.values())).classes),
        tested={split: _tested(videos) for split, videos in tested.items()},
        trainings=[
            _training(model, trees[split], split=split, costs=split == first[model.name])
            for split, models in evaluated.items()
            for model in models
        ],
    )


def settings(tree: Path) -> dict[str, Any]:
    """All that decides what a training can know beside its split and its row in params.yaml."""
    params = load_params(tree / "params.yaml")
    chosen = {key: getattr(params, key).model_dump() for key in ("extract", "train", "evaluate")}
    validation = params.dataset.validation
    return {"clips_hash": json_hash(clip_list(tree)), "validation": validation, **chosen}


def clip_list(tree: Path) -> str:
    """One line per clip in use: its name and the SHA-256 of its content."""
    rows = kept(read_catalogue(tree / CATALOGUE)).to_pylist()
    return "".join(f"{row['clip']}\t{row['sha256']}\n" for row in rows)


def _evaluated(tree: Path) -> list[EvaluatedModel]:
    params = load_params(tree / "params.yaml")
    found = [evaluated_model(params, name, tree) for name in params.models]
    return [*found, *fusions(found)]


def _tested(videos: Predictions) -> Tested:
    return Tested(videos.clips.tolist(), videos.groups.tolist(), videos.labels.tolist())


def _training(model: EvaluatedModel, tree: Path, *, split: int, costs: bool) -> Training:
    fused = "+" in model.stream
    params = load_params(tree / "params.yaml")
    # One window a clip, by name as the videos are.
    controls = {name: each.by_clip() for name, each in model.controls.items()}
    return Training(
        row=row_of(model, split=split),
        predicted=_likeliest(model.videos),
        controls={name: _likeliest(each) for name, each in controls.items()},
        validation_accuracy=None if fused else model.record["validation_accuracy"],
        model={} if fused else params.models[model.name].model_dump(),
        cost=_cost_apart(tree, model.name, params.evaluate.windows) if costs and not fused else {},
        by_frames=_longer(tree, model),
    )


def _likeliest(videos: Predictions) -> list[int]:
    numbers: list[int] = videos.probabilities.argmax(axis=1).tolist()
    return numbers


def _longer(tree: Path, model: EvaluatedModel) -> dict[str, float]:
    """Video accuracies by frames in a window, of networks on rgb without a backbone of its own."""
    if model.stream != "rgb" or model.backbone != SCRATCH:
        return {}
    found = {str(frames): share for frames, share in alone(by_frames, tree, model.name).items()}
    log.info("%s of %s, by frames: %s", model.name, tree.name, found)
    return found


def _cost_apart(tree: Path, name: str, windows: int) -> dict[str, float]:
    """`cost`, in a process of its own."""
    found: dict[str, float] = alone(cost, tree / TRAIN / name / "model.keras", windows)
    log.info("%s: %s", name, found)
    return found


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


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
