"""The latency of a model."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf


def latency_ms(
    infer: Callable[[tf.Tensor], tf.Tensor],
    shape: tuple[int, ...],
    *,
    windows: int = 1,
    repeats: int = 20,
) -> float:
    """Median time of `infer` for `windows` windows of `shape` (T, H, W, C), after warm-up."""
    window = tf.zeros((windows, *shape))
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        infer(window).numpy()
        times.append(time.perf_counter() - started)
    return float(np.median(times[2:])) * 1000
