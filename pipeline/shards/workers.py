"""Where shards are made: processes here, or a Dask cluster that shares this file system."""

import logging
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from pipeline.errors import ShardError
from pipeline.params import Machine

log = logging.getLogger(__name__)


@contextmanager
def open_executor(machine: Machine) -> Iterator[Executor]:
    """Workers as `machine` asks for; both kinds have the interface of concurrent.futures.

    Raises ShardError when workers die or cannot write, which a second run may mend.
    """
    try:
        with _cluster(machine) if machine.scheduler else _processes(machine) as executor:
            yield executor
    except BrokenProcessPool as error:
        raise ShardError("a worker died (out of memory?); run again to go on from here") from error
    except OSError as error:
        raise ShardError(f"extraction stopped ({error}); mend that and run again") from error


def _processes(machine: Machine) -> Executor:
    # A fresh interpreter: forking a process that has threads (Arrow, TensorFlow) can hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(machine.workers or os.cpu_count(), mp_context=context)


@contextmanager
def _cluster(machine: Machine) -> Iterator[Executor]:
    from distributed import Client, KilledWorker  # takes a second to import, and few need it

    try:
        with Client(  # type: ignore[no-untyped-call]
            machine.scheduler, timeout=machine.timeout
        ) as client:
            log.info("extracting on %d Dask workers", len(client.nthreads()))
            yield client.get_executor(pure=False)
    except KilledWorker as error:
        raise ShardError(
            f"a shard kills its workers ({error}); run again with more memory"
        ) from error
