"""Windows of a batch and their labels, blended with one another."""

from typing import NamedTuple

import tensorflow as tf


class Mixing(NamedTuple):
    """Which ways of blending train; 0 leaves one out."""

    mixup: float  # shares are drawn from Beta(mixup, mixup)
    cutmix: float  # share of the windows that take a box of another instead of a blend
    background: float  # another window's still frame takes at most this share

    def __call__(
        self, x: tf.Tensor, targets: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Blend x [batch, T, H, W, C] and targets [batch, classes].

        All draws depend on `step` alone, so that a resumed training repeats those of an unbroken
        one. Flow is not blended: the sum of two motions is a third, which neither target tells.
        """
        pictures = x.shape[-1] == 3
        if self.background and pictures:
            x = with_background(x, most=self.background, step=step)
        if self.mixup and pictures:
            x, targets = mixup_batch(x, targets, alpha=self.mixup, step=step)
        if self.cutmix:
            x, targets = cutmix_batch(x, targets, share=self.cutmix, step=step)
        return x, targets


def mixup_batch(
    x: tf.Tensor, targets: tf.Tensor, *, alpha: float, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each window with another, and their targets likewise (Zhang et al. 2018).

    Shares are drawn from Beta(alpha, alpha), alpha > 0: for a small alpha mostly near 0 or 1.
    """
    batch = tf.shape(x)[0]
    gammas = tf.random.stateless_gamma([2, batch], [0, step], alpha)
    share = gammas[0] / (gammas[0] + gammas[1] + 1e-30)  # for a tiny alpha, both can underflow
    by_window = tf.reshape(share, [-1, 1, 1, 1, 1])
    blended = by_window * x + (1 - by_window) * tf.reverse(x, [0])
    return blended, share[:, None] * targets + (1 - share[:, None]) * tf.reverse(targets, [0])


def cutmix_batch(
    x: tf.Tensor, targets: tf.Tensor, *, share: float, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Put a box of another window into `share` of the windows (Yun et al. 2019).

    The box is the same in all frames, and its share of the area is that of the other's target.
    """
    batch, (rows, columns) = tf.shape(x)[0], x.shape[2:4]
    draws = tf.random.stateless_uniform([4, batch], [1, step])
    side = tf.where(draws[0] < share, tf.sqrt(draws[1]), 0.0)
    tall, wide = (_inside(side, draws[2], rows), _inside(side, draws[3], columns))
    box = tall[:, None, :, None, None] & wide[:, None, None, :, None]
    area = tf.reduce_mean(tf.cast(box, tf.float32), axis=(1, 2, 3, 4))[:, None]
    mixed = tf.where(box, tf.roll(x, 1, axis=0), x)
    return mixed, (1 - area) * targets + area * tf.roll(targets, 1, axis=0)


def with_background(x: tf.Tensor, *, most: float, step: tf.Tensor) -> tf.Tensor:
    """Blend the middle frame of another window into all frames; motion and targets stay.

    A network can then rely less on the place that a clip shows (Wang et al. 2021).
    """
    share = tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1, 1], [2, step], 0.0, most)
    middle = x.shape[1] // 2
    return (1 - share) * x + share * tf.roll(x[:, middle : middle + 1], 2, axis=0)


def _inside(side: tf.Tensor, place: tf.Tensor, pixels: int) -> tf.Tensor:
    """Which of so many pixels a part of length `side` (of 1) covers, bool [batch, pixels]."""
    start = place * (1 - side)
    middles = (tf.range(pixels, dtype=tf.float32) + 0.5) / pixels
    return (middles >= start[:, None]) & (middles < (start + side)[:, None])
