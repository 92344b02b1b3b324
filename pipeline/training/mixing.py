"""Windows of a batch and their labels, blended with one another or without their background."""

from typing import NamedTuple

import tensorflow as tf

GREY = 127.5  # of values from 0 to 255


class Mixing(NamedTuple):
    """How windows are changed in training; 0 leaves a way out."""

    mixup: float  # shares are drawn from Beta(mixup, mixup)
    cutmix: float  # share of the windows that take a box of another instead of a blend
    background: float  # another window's still frame takes at most this share
    motion_only: float  # share of the windows without background, at the full learning rate

    def __call__(
        self, x: tf.Tensor, targets: tf.Tensor, step: tf.Tensor, heat: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Change x [batch, T, H, W, C] and targets [batch, classes].

        `heat` is the learning rate's share of its height, 0 to 1: in the end, a network learns from
        windows as they are. All draws depend on `step` alone, so that a resumed training repeats
        those of an unbroken one. Flow is not blended: the sum of two motions is a third, which
        neither target tells; and it has no background.
        """
        pictures = x.shape[-1] == 3
        if self.background and pictures:
            x = with_background(x, most=self.background, step=step)
        if self.motion_only and pictures:
            x = without_background(x, share=self.motion_only * heat, step=step)
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


def without_background(x: tf.Tensor, *, share: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Take the mean over time from `share` of the windows, which leaves what moves, on grey.

    A place then tells nothing of the action.
    """
    chosen = tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1, 1], [3, step]) < share
    return tf.where(chosen, x - tf.reduce_mean(x, axis=1, keepdims=True) + GREY, x)


def _inside(side: tf.Tensor, place: tf.Tensor, pixels: int) -> tf.Tensor:
    """Which of so many pixels a part of length `side` (of 1) covers, bool [batch, pixels]."""
    start = place * (1 - side)
    middles = (tf.range(pixels, dtype=tf.float32) + 0.5) / pixels
    return (middles >= start[:, None]) & (middles < (start + side)[:, None])
