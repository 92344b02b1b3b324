"""Processes that decode or draw video, one a core."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from threading import Thread

import cv2


def process_pool(workers: int | None) -> ProcessPoolExecutor:
    """A pool of `workers` processes (None: one a core), which end when this one is killed."""
    # A fresh interpreter: forking a process that has threads (Arrow, TensorFlow) can hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        workers or os.cpu_count(), mp_context=context, initializer=_start_worker
    )


def _start_worker() -> None:
    cv2.setNumThreads(1)  # the other cores have workers of their own
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent was killed, instead of waiting for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
