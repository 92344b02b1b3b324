"""A bundle's card: what one must know to classify videos with its networks, and to trust them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import BundleError
from pipeline.shards.windows import WindowSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.params import Stream

SCHEMA = 1
FILE = "card.json"


@dataclass(frozen=True)
class Sampling:
    """How frames are taken from a video, as params.yaml's section `extract` has it."""

    fps: float
    max_frames: int
    width: int
    height: int
    jpeg_quality: int


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities: softmax(logits / temperature)."""

    temperature: float
    # Stated coverage, as "0.90" → the score up to which a class is in the prediction set.
    conformal: Mapping[str, float]


@dataclass(frozen=True)
class Rejection:
    """When a video shows none of the classes: where its score is above the threshold."""

    score: str  # a name in pipeline.inference.strangers.SCORES
    threshold: float
    kept: float  # share of the known validation clips that are not rejected


@dataclass(frozen=True)
class Form:
    """One file of the network, and how well it does on the test clips."""

    file: str
    sha256: str
    size_bytes: int
    clip_accuracy: float
    video_accuracy: float
    agreement: float  # share of the test clips to which it gives Keras' class
    max_difference: float  # of probabilities, from Keras'
    latency_ms: float  # one window, one thread


@dataclass(frozen=True)
class Card:
    """What a bundle says of itself."""

    schema: int
    name: str  # the row of params.yaml's models
    architecture: str
    stream: Stream
    seed: int
    classes: tuple[str, ...]
    sampling: Sampling
    window: WindowSpec
    windows: int  # that cover a clip
    calibration: Calibration
    rejection: Rejection
    forms: Mapping[str, Form]
    origin: Mapping[str, str]  # hashes of clips, params and code; git revision; training's key

    def write(self, folder: Path) -> None:
        """Write card.json."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")


def read_card(folder: Path) -> Card:
    """The card of a bundle's folder.

    Raises a BundleError where there is none, or one of another schema, or one that lacks a value.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{folder} is not a bundle: {path.name} cannot be read: {error}"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else None
        raise BundleError(
            f"{path} is of schema {found!r}; this version reads {SCHEMA}: export the model again, "
            "with `dvc repro`"
        )
    try:
        return _card(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{path} is not a card of schema {SCHEMA}: {error}") from error


def _card(document: dict[str, Any]) -> Card:
    return Card(
        **document
        | {
            "classes": tuple(document["classes"]),
            "sampling": Sampling(**document["sampling"]),
            "window": WindowSpec(**document["window"]),
            "calibration": Calibration(**document["calibration"]),
            "rejection": Rejection(**document["rejection"]),
            "forms": {name: Form(**form) for name, form in document["forms"].items()},
        }
    )
