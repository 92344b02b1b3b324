"""Mixup: windows and their labels are blended with one another (Zhang et al. 2018)."""

import tensorflow as tf


def mixup_batch(
    x: tf.Tensor, targets: tf.Tensor, *, alpha: float, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each window of x [batch, T, H, W, C] with another; targets [batch, classes] likewise.

    Shares are drawn from Beta(alpha, alpha), alpha > 0: for a small alpha mostly near 0 or 1. They
    depend on `step` alone, so that a resumed training draws what an unbroken one would.
    """
    batch = tf.shape(x)[0]
    gammas = tf.random.stateless_gamma([2, batch], [0, step], alpha)
    share = gammas[0] / (gammas[0] + gammas[1] + 1e-30)  # for a tiny alpha, both can underflow
    by_window = tf.reshape(share, [-1, 1, 1, 1, 1])
    blended = by_window * x + (1 - by_window) * tf.reverse(x, [0])
    return blended, share[:, None] * targets + (1 - share[:, None]) * tf.reverse(targets, [0])
