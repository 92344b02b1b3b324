"""The latency of a model."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def latency_ms(
    classify: Callable[[NDArray[np.float32]], object],
    shape: tuple[int, ...],
    *,
    windows: int = 1,
    repeats: int = 20,
) -> float:
    """Median time of `classify` for `windows` windows of `shape` (T, H, W, C), after warm-up."""
    batch = np.zeros((windows, *shape), np.float32)
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        classify(batch)
        times.append(time.perf_counter() - started)
    return float(np.median(times[2:])) * 1000
