"""Where and when a network sees a class: Grad-CAM (Selvaraju et al. 2017) over time.

Every network here pools its last feature map over space. The maps of that layer, weighted by the
gradient of the class's logit, each frame by its own, say how much every place of every frame speaks
for the class. Where dense follows on pooling, as in the 3-D networks, this is exactly CAM (Zhou et
al. 2016); where an LSTM stands between, the gradient through it says how much each frame counts.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

_POOLING = (layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)


def activation_maps(model: keras.Model, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Maps float32 [B, T', h, w] in 0..1 for windows [B, T, H, W, C] and the class of each.

    T' is the time that the last feature map has left. The strongest place of a window is 1; what
    speaks against the class is 0.
    """
    head = model.get_layer("probabilities")
    probe = keras.Model(model.input, [_last_map(model), head.input])
    with tf.GradientTape() as tape:
        window = tf.constant(x, tf.float32)
        tape.watch(window)  # else a frozen backbone would leave nothing to follow
        features, pooled = probe(window, training=False)
        weights = tf.gather(tf.transpose(head.kernel.value), labels)
        logits = tf.reduce_sum(tf.cast(pooled, tf.float32) * weights, axis=-1)
    gradient = tf.cast(tape.gradient(logits, features), tf.float32)
    counts = tf.reduce_mean(gradient, axis=(-3, -2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(counts * tf.cast(features, tf.float32), axis=-1))
    maps = maps.numpy().reshape(len(x), -1, *maps.shape[-2:])
    return np.asarray(maps / np.maximum(maps.max(axis=(1, 2, 3), keepdims=True), 1e-9))


def _last_map(model: keras.Model) -> Any:
    """What the last pooling over space takes in: [B, T', h, w, K], or [B × T, h, w, K]."""
    return next(each for each in reversed(model.layers) if isinstance(each, _POOLING)).input
