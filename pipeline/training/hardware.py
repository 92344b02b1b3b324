"""What a model is trained on, and what suits it."""

import os
import platform
from pathlib import Path

import tensorflow as tf


def hardware() -> str:
    """The GPUs by name where there are any, else the processor and its number of cores."""
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        names = [tf.config.experimental.get_device_details(each)["device_name"] for each in devices]
        return ", ".join(names)
    return f"{_processor()}, {os.cpu_count()} cores"


def precision() -> str:
    """Keras' name of the number format to train in: bfloat16 beside float32 on GPUs, else float32.

    CPUs without instructions for bfloat16 train slower in it (``benchmarks/training.py``).
    """
    return "mixed_bfloat16" if tf.config.list_physical_devices("GPU") else "float32"


def use_threads(threads: int | None) -> None:
    """Compute on so many threads; None: on all cores."""
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
