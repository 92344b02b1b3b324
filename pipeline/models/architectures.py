"""The table of architectures, and the one way to build them.

The table is read without importing Keras: params.yaml is validated against it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from types import ModuleType

    import keras

SCRATCH = "scratch"  # the backbone of a network without pretrained weights


@dataclass(frozen=True)
class Architecture:
    """One row: `kind` is `sequential` (frame features, then an LSTM) or `joint` (space-time).

    An architecture that takes a pretrained backbone has `frame_features` in its module.
    """

    kind: Literal["sequential", "joint"]
    takes_backbone: bool = False


ARCHITECTURES = {
    "vgg_lstm": Architecture("sequential", takes_backbone=True),
    "resnet_lstm": Architecture("sequential", takes_backbone=True),
    "r2plus1d": Architecture("joint"),
    "csn": Architecture("joint"),
}


def _module(architecture: str) -> ModuleType:
    """The module of an architecture's builder; both have its name."""
    # Named one by one, so that the stages depend on them.
    from pipeline.models import csn, r2plus1d, resnet_lstm, vgg_lstm  # noqa: F401

    return sys.modules[f"pipeline.models.{architecture}"]


def build(
    architecture: str,
    *,
    input_shape: tuple[int, int, int, int],
    classes: int,
    seed: int = 0,
    stream: str = "rgb",
    dropout: float = 0.5,
    backbone: str = SCRATCH,
    fine_tune: bool = False,
) -> keras.Model:
    """Build a network for windows of ``input_shape`` (T, H, W, C); same seed, same weights.

    Input: float32, rgb 0..255 or flow in pixels. Output: softmax probabilities, float32. With a
    pretrained `backbone`, it computes the features of frames, and the architecture's own CNN those
    of their changes alone.
    """
    import keras

    from pipeline.models.backbone import pretrained_lstm

    keras.utils.set_random_seed(seed)
    module = _module(architecture)
    given: dict[str, Any] = {
        "input_shape": input_shape,
        "classes": classes,
        "stream": stream,
        "dropout": dropout,
    }
    network: keras.Model
    if backbone == SCRATCH:
        network = getattr(module, architecture)(**given)
    else:
        features = module.frame_features
        network = pretrained_lstm(**given, cnn=features, backbone=backbone, fine_tune=fine_tune)
    return network
