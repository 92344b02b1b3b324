"""Feature networks: pictures to the feature maps that perceptual losses compare.

All pictures of this package are float32 [batch, height, width, 3]: red, green, blue, 0..1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from pipeline.errors import StyleError
from pipeline.models.imagenet import caffe_pixels, load_by_name
from pipeline.models.keras_file import read_network
from pipeline.models.layers import PictureConv2D

# VGG19 (Simonyan and Zisserman, 2015): channels and number of 3x3 convolutions of each block.
VGG19 = ((64, 2), (128, 2), (256, 4))
VGG19_STYLE = ("block1_conv1", "block2_conv1", "block3_conv1", "block3_conv4")
VGG19_CONTENT = "block3_conv1"

# Convolutions of the project's own network, counted from its input.
OWN_STYLE = (0, 1, 2, 4)
OWN_CONTENT = 2
_PER_FRAME = (layers.BatchNormalization, layers.Activation)


@dataclass(frozen=True)
class Features:
    """A network from pictures to feature maps [batch, h, w, C]; `content`: the content layer's."""

    network: keras.Model
    content: int


def load_features(path: Path) -> Features:
    """Features of a trained model of this project (.keras) or of a VGG19 weight file (.h5).

    `path` is that file, or the folder that the stage `features` wrote.
    """
    path = feature_file(path)
    if not path.is_file():
        raise StyleError(
            f"the feature network {path} does not exist; run `dvc repro features`, "
            "or set stylize.features to a VGG19 weight file (.h5)"
        )
    return own_features(path) if path.suffix == ".keras" else vgg19_features(path)


def feature_file(path: Path) -> Path:
    """The file itself, or the one in the folder that the stage `features` wrote."""
    return next(path.iterdir(), path) if path.is_dir() else path


def own_features(path: Path) -> Features:
    """The per-frame convolutions of a trained vgg_lstm."""
    try:
        trained = read_network(path)
    except ValueError as error:
        raise StyleError(str(error)) from error
    if trained.name != "vgg_lstm" or trained.input_shape[-1] != 3:
        raise StyleError(
            f"{path} holds {trained.name} for {trained.input_shape[-1]} channels; "
            "style needs a vgg_lstm of the rgb stream"
        )
    inputs = keras.Input((None, None, 3))
    maps = _per_frame_maps(trained, inputs)
    chosen = [maps[index] for index in OWN_STYLE]
    return Features(_frozen(inputs, chosen), OWN_STYLE.index(OWN_CONTENT))


def _per_frame_maps(trained: keras.Model, inputs: Any) -> list[Any]:
    """The maps after each convolution, with average pooling as Gatys et al. advise."""
    # Upsampled, since a stem of stride 2 gives gradients in a checkerboard pattern.
    twice = layers.UpSampling2D(2, interpolation="bilinear")(inputs * 255)
    x = trained.get_layer("rescaling")(twice)
    x = ops.concatenate([x, ops.zeros_like(x)], axis=-1)  # a still picture does not change
    maps = []
    for layer in trained.layers:
        if isinstance(layer, layers.MaxPooling2D):
            x = layers.AveragePooling2D(2, padding="same")(x)
        elif isinstance(layer, layers.Conv2D):
            x = _convolved(x, layer)
        elif isinstance(layer, _PER_FRAME):
            x = layer(x)
        if isinstance(layer, layers.Activation):
            maps.append(x)
    return maps


def _convolved(x: Any, layer: layers.Conv2D) -> Any:
    """`x` convolved by a trained layer, in the form that is fast for single pictures."""
    twin = PictureConv2D.from_config(layer.get_config())
    y = twin(x)
    twin.set_weights(layer.get_weights())
    return y


def vgg19_features(path: Path) -> Features:
    """VGG19's first three blocks, with average pooling as Gatys et al. advise, from a .h5 file."""
    inputs = keras.Input((None, None, 3))
    x = caffe_pixels(inputs * 255)
    maps = {}
    for block, (channels, convolutions) in enumerate(VGG19, start=1):
        if block > 1:
            x = layers.AveragePooling2D(2)(x)
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            x = PictureConv2D(channels, 3, padding="same", activation="relu", name=name)(x)
            maps[name] = x
    network = _frozen(inputs, [maps[name] for name in VGG19_STYLE])
    _load_vgg19(network, path)
    return Features(network, VGG19_STYLE.index(VGG19_CONTENT))


def _frozen(inputs: Any, maps: list[Any]) -> keras.Model:
    network = keras.Model(inputs, maps)
    network.trainable = False
    return network


def _load_vgg19(network: keras.Model, path: Path) -> None:
    try:
        load_by_name(network, path)
    except (KeyError, ValueError, OSError) as error:
        raise StyleError(
            f"{path} does not fit VGG19's first three blocks in Keras' layer names: {error}"
        ) from error
