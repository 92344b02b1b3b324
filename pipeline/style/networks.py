"""The networks of fast style transfer and CycleGAN, fully convolutional.

The generator is the image transformation network of Johnson et al., "Perceptual losses for
real-time style transfer" (2016), slim, which Zhu et al. (CycleGAN, 2017) took over: instance
normalization, and resizing before convolution, so that no checkerboard shows.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from pipeline.models.layers import PictureConv2D

# Downsampling steps of the generator: a picture's sides must be multiples of 2 to this power.
HALVINGS = 2
# Of a residual generator: sigmoid(5 (x - 0.5)) is x to within 0.08.
CONTRAST = 5.0


def generator(
    *, widths: Sequence[int], blocks: int, residual: bool = False, seed: int = 0
) -> keras.Model:
    """Pictures of 0..1 to pictures of 0..1, of any size in multiples of 4.

    `widths`: channels at full, half and quarter size; `blocks`: residual blocks at a quarter. With
    `residual`, the network learns a change to its input, and so keeps the brightness and colours
    that instance normalization removes.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3))
    x = _convolved(inputs, widths[0], size=5)
    for width in widths[1:]:
        x = _convolved(x, width, strides=2)
    for _ in range(blocks):
        inner = _convolved(x, widths[-1])
        x = layers.Add()([x, _normalized(_convolution(widths[-1])(inner))])
    for width in widths[-2::-1]:
        x = _convolved(layers.UpSampling2D(2, interpolation="bilinear")(x), width)
    x = PictureConv2D(3, 5, padding="same")(x)
    if residual:
        x = x + CONTRAST * (inputs - 0.5)
    return keras.Model(inputs, layers.Activation("sigmoid")(x), name="generator")


def discriminator(*, width: int, seed: int = 0) -> keras.Model:
    """A PatchGAN: pictures to one unbounded score per patch, [batch, h, w, 1].

    Its receptive field is 46 pixels, for small pictures (Zhu et al. took 70 for 256).
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3))
    x = layers.LeakyReLU(0.2)(PictureConv2D(width, 4, 2, padding="same")(inputs))
    for more in (2, 4):
        x = layers.LeakyReLU(0.2)(_normalized(_convolution(more * width, size=4, strides=2)(x)))
    outputs = PictureConv2D(1, 4, padding="same")(x)
    return keras.Model(inputs, outputs, name="discriminator")


def _convolved(x: Any, width: int, *, size: int = 3, strides: int = 1) -> Any:
    return layers.ReLU()(_normalized(_convolution(width, size=size, strides=strides)(x)))


def _convolution(width: int, *, size: int = 3, strides: int = 1) -> PictureConv2D:
    return PictureConv2D(width, size, strides, padding="same", use_bias=False)


def _normalized(x: Any) -> Any:
    """Instance normalization (Ulyanov et al., 2016)."""
    return layers.GroupNormalization(groups=-1, epsilon=1e-5)(x)
