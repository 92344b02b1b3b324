"""Where shards are made: processes here, or a Dask cluster that shares this file system."""

from __future__ import annotations

import logging
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import ShardError
from pipeline.video.pool import process_pool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from pipeline.params import Machine

log = logging.getLogger(__name__)


@contextmanager
def open_executor(machine: Machine) -> Iterator[Executor]:
    """Workers as `machine` asks for; both kinds have the interface of concurrent.futures.

    Raises ShardError when workers die or cannot write, which a second run may mend.
    """
    try:
        pool = _cluster(machine) if machine.dask_scheduler else process_pool(machine.workers)
        with pool as executor:
            yield executor
    except BrokenProcessPool as error:
        raise ShardError("a worker died (out of memory?); run again to go on from here") from error
    except OSError as error:
        raise ShardError(f"extraction stopped ({error}); mend that and run again") from error


@contextmanager
def _cluster(machine: Machine) -> Iterator[Executor]:
    from distributed import Client, KilledWorker  # takes a second to import, and few need it

    try:
        with Client(  # type: ignore[no-untyped-call]
            machine.dask_scheduler, timeout=machine.timeout
        ) as client:
            log.info("extracting on %d Dask workers", len(client.nthreads()))
            yield client.get_executor(pure=False)
    except KilledWorker as error:
        raise ShardError(
            f"a shard kills its workers ({error}); run again with more memory"
        ) from error
