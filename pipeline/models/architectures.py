"""The table of architectures, and the one way to build them."""

from collections.abc import Callable
from typing import Any

import keras

from pipeline.models.backbone import SCRATCH, pretrained_lstm
from pipeline.models.csn import csn
from pipeline.models.r2plus1d import r2plus1d
from pipeline.models.resnet_lstm import frame_features as resnet
from pipeline.models.resnet_lstm import resnet_lstm
from pipeline.models.vgg_lstm import frame_features as vgg
from pipeline.models.vgg_lstm import vgg_lstm

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "vgg_lstm": vgg_lstm,
    "resnet_lstm": resnet_lstm,
    "r2plus1d": r2plus1d,
    "csn": csn,
}
CNNS = {"vgg_lstm": vgg, "resnet_lstm": resnet}


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
    """New network for windows of ``input_shape`` (T, H, W, C); same seed, same weights.

    Input: float32, rgb 0..255 or flow in pixels. Output: softmax probabilities, float32. A
    pretrained `backbone` sees the frames for the two LSTM networks, whose CNN sees changes alone.
    """
    keras.utils.set_random_seed(seed)
    given: dict[str, Any] = {
        "input_shape": input_shape,
        "classes": classes,
        "stream": stream,
        "dropout": dropout,
    }
    if backbone == SCRATCH:
        return ARCHITECTURES[architecture](**given)
    return pretrained_lstm(**given, cnn=CNNS[architecture], backbone=backbone, fine_tune=fine_tune)
