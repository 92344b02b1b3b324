import keras
import pytest
from keras import layers

from pipeline.models import build
from pipeline.models.flops import gflops
from pipeline.models.layers import depthwise_conv3d, fold_time, unfold_time


def test_counts_every_kind_of_layer():
    inputs = keras.Input((4, 8, 8, 3))
    x = layers.Conv3D(5, (3, 1, 1), padding="same")(inputs)  # 4*8*8*5 outputs of 9
    x = depthwise_conv3d(x, strides=2)  # 4*4*4*5 of 27
    x = layers.Conv2D(6, 3, padding="same")(fold_time(x))  # 4*4*4*6 of 45
    x = unfold_time(layers.GlobalAveragePooling2D()(x), 4)
    x = layers.LSTM(7, return_sequences=True)(x)  # 4 steps of 4*7*(6+7)
    x = layers.Dense(2)(layers.GlobalAveragePooling1D()(x))  # 2 of 7
    expected = 1280 * 9 + 320 * 27 + 384 * 45 + 4 * 4 * 7 * 13 + 14
    assert gflops(keras.Model(inputs, x)) == pytest.approx(2 * expected / 1e9)


def test_doubles_with_the_frames():
    short, long = (build("vgg_lstm", input_shape=(t, 16, 16, 3), classes=3) for t in (4, 8))
    assert gflops(long) == pytest.approx(2 * gflops(short), rel=1e-3)
