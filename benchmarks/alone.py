"""Work in a process of its own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def alone(function: Any, *arguments: Any) -> Any:
    """What the function gives in a process whose memory and threads nothing else has used."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()
