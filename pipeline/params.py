"""params.yaml as typed, frozen, validated objects; unknown keys are refused."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError
from pipeline.files import read_yaml
from pipeline.models.architectures import ARCHITECTURES, SCRATCH

Stream = Literal["rgb", "flow"]
RENAMED = {
    "machine.scheduler": "machine.dask_scheduler",
    "train.epochs": "train.max_steps, in steps of a batch",
    "train.average": "train.ema_momentum",
    "train.solved": "train.target_accuracy",
    "stylize.next_steps": "stylize.steps_per_frame",
    "stylize.variation": "stylize.total_variation",
    "fast.variation": "fast.total_variation",
    "styles.*.paintings": "styles.*.style_images",
}
REMOVED = {
    "evaluate.lengths": "models are evaluated on windows of train.frames frames",
    "evaluate.resamples": "intervals are computed, not resampled",
}
# It names a stage and a folder.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]


class Section(BaseModel):
    """What all sections share: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _known_architecture(name: str) -> str:
    if name not in ARCHITECTURES:
        raise ValueError(f"the architectures are {', '.join(ARCHITECTURES)}")
    return name


Architecture = Annotated[str, AfterValidator(_known_architecture)]


class Dataset(Section):
    """Which clips, and how they are split."""

    source: str = Field(min_length=1)
    classes: list[str] | Literal["all"] | None = None
    split: Literal[1, 2, 3] = 1
    validation: float = Field(ge=0, lt=1)
    test: float = Field(gt=0, lt=1)
    groups: str | None = None


class Extract(Section):
    """How a clip becomes a record: sampling, size and encoding."""

    fps: float = Field(gt=0, le=120)
    max_frames: int = Field(ge=2)
    width: int = Field(ge=16, multiple_of=2)
    height: int = Field(ge=16, multiple_of=2)
    jpeg_quality: int = Field(ge=1, le=100)
    shards: int = Field(ge=1, le=99_999)


class Train(Section):
    """How every model is trained."""

    frames: int = Field(ge=2)
    stride: float = Field(gt=0)
    crop: int = Field(ge=16)
    batch_size: int = Field(ge=2)  # in halves
    max_steps: int = Field(ge=1)
    max_minutes: float = Field(gt=0)
    patience: int = Field(ge=1)
    target_accuracy: float = Field(gt=0, le=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    jitter: float = Field(ge=0, le=1)
    hue: float = Field(ge=0, le=1)
    grey: float = Field(ge=0, le=1)
    mixup: float = Field(ge=0)
    cutmix: float = Field(ge=0, le=1)
    background: float = Field(ge=0, lt=1)
    motion_only: float = Field(ge=0, le=1)
    ema_momentum: float = Field(ge=0, lt=1)
    warm_start: str | None = None


class Model(Section):
    """One row of the comparison: what is trained, on which stream, from which seed."""

    architecture: Architecture
    stream: Stream
    seed: int = Field(ge=0)
    backbone: str = Field(default=SCRATCH, min_length=1)
    fine_tune: bool = False
    max_minutes: float | None = Field(default=None, gt=0)

    def settings(self, train: Train) -> Train:
        """`train` with what this row says instead."""
        minutes = self.max_minutes or train.max_minutes
        return train.model_copy(update={"max_minutes": minutes})

    @model_validator(mode="after")
    def _a_backbone_sees_frames(self) -> Self:
        takers = [name for name, each in ARCHITECTURES.items() if each.takes_backbone]
        takes_one = self.architecture in takers and self.stream == "rgb"
        if self.backbone != SCRATCH and not takes_one:
            raise ValueError(
                f"backbone is {self.backbone}, but only {' and '.join(takers)} on rgb take one; "
                f"here it is {self.architecture} on {self.stream}"
            )
        return self


class Evaluate(Section):
    """How a trained model is evaluated."""

    windows: int = Field(ge=1)


class Stylize(Section):
    """How pictures and videos are restyled."""

    features: str = Field(min_length=1)
    size: int = Field(ge=16)
    steps: int = Field(ge=1)
    steps_per_frame: int = Field(ge=1)
    content: float = Field(ge=0)
    style: float = Field(ge=0)
    total_variation: float = Field(ge=0)
    temporal: float = Field(ge=0)
    blend: float = Field(ge=0, lt=1)
    keep_colours: bool


# clips, brush, classes, or a path.
Pictures = Annotated[str, StringConstraints(min_length=1)] | list[str]


class Style(Section):
    """One style network: how it learns, and from which pictures."""

    method: Literal["fast", "cyclegan"]
    photos: Pictures
    style_images: Pictures


class Fast(Section):
    """How feed-forward networks learn a style image."""

    size: int = Field(ge=48, multiple_of=4)
    batch_size: int = Field(ge=1)
    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    content: float = Field(ge=0)
    style: float = Field(ge=0)
    total_variation: float = Field(ge=0)
    stability: float = Field(ge=0)


class CycleGan(Section):
    """How two generators learn to translate between two domains of pictures."""

    size: int = Field(ge=32, multiple_of=8)
    batch_size: int = Field(ge=1)
    steps: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    cycle: float = Field(ge=0)
    identity: float = Field(ge=0)
    pool: int = Field(ge=1)


class Gallery(Section):
    """The clips that all methods are compared on."""

    clips: int = Field(ge=1)
    frames: int = Field(ge=2)
    size: int = Field(ge=16)


class Machine(Section):
    """Settings that do not change results; no stage depends on them."""

    workers: int | None = Field(default=None, ge=1)
    dask_scheduler: str | None = Field(default=None, min_length=1)
    threads: int | None = Field(default=None, ge=1)
    mirrors: list[str] = Field(min_length=1)
    timeout: float = Field(gt=0)


class Params(Section):
    """All of params.yaml."""

    dataset: Dataset
    extract: Extract
    train: Train
    models: dict[ModelName, Model] = Field(min_length=1)
    evaluate: Evaluate
    stylize: Stylize
    styles: dict[ModelName, Style]
    fast: Fast
    cyclegan: CycleGan
    gallery: Gallery
    machine: Machine

    @model_validator(mode="after")
    def _windows_fit_the_records(self) -> Self:
        steps = self.train.stride * self.extract.fps
        if abs(steps - round(steps)) > 1e-6 or round(steps) < 1:
            raise ValueError(
                f"train.stride is {self.train.stride} s, which is {steps:g} frames at "
                f"extract.fps {self.extract.fps:g}; make it a whole number of sampled frames"
            )
        side = min(self.extract.width, self.extract.height)
        if self.train.crop > side:
            raise ValueError(
                f"train.crop is {self.train.crop}, but frames are stored at {self.extract.width}×"
                f"{self.extract.height}; make it at most {side}"
            )
        return self


def load_params(path: Path) -> Params:
    """Read and check `path`; a ParamsError lists each offending key, its value and its rule."""
    try:
        document = read_yaml(path)
    except FileNotFoundError as error:
        raise ParamsError(f"{path} does not exist; run from the repository's root") from error
    except YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    return validate_params(document, str(path))


def validate_params(document: object, origin: str) -> Params:
    """Check what a YAML reader made of params; a ParamsError lists what breaks which rule."""
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        raise ParamsError(f"{origin} breaks these rules:\n{_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    return "\n".join(
        f"- {key or 'params'}: {_rule(key, problem['msg'])} (value: {_shown(problem['input'])})"
        for problem in error.errors()
        for key in [".".join(map(str, problem["loc"]))]
    )


def _rule(key: str, message: str) -> str:
    if key in REMOVED:
        return f"remove it: {REMOVED[key]}"
    new = next((new for old, new in RENAMED.items() if fnmatch(key, old)), None)
    return f"it is now called {new}" if new else message


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
