"""Mixup: windows blended with one another, and their labels with them (Zhang et al. 2018)."""

import tensorflow as tf


def mixed(
    x: tf.Tensor, targets: tf.Tensor, *, alpha: float, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each window of x [batch, T, H, W, C] with another; targets [batch, classes] likewise.

    Shares come from Beta(alpha, alpha), above 0: mostly near 0 or 1 for a small alpha. They are a
    function of `step`, so that training goes on after a kill as if it had never stopped.
    """
    batch = tf.shape(x)[0]
    gammas = tf.random.stateless_gamma([2, batch], [0, step], alpha)
    share = gammas[0] / (gammas[0] + gammas[1] + 1e-30)  # so small both may be that they are 0
    by_window = tf.reshape(share, [-1, 1, 1, 1, 1])
    blended = by_window * x + (1 - by_window) * tf.reverse(x, [0])
    return blended, share[:, None] * targets + (1 - share[:, None]) * tf.reverse(targets, [0])
