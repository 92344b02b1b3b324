"""A training shown in MLflow while it runs, at no cost to it."""

import logging
import time
from collections.abc import Mapping
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self

from pipeline.errors import TrackingError
from pipeline.tracking.trained import epoch_metrics

log = logging.getLogger(__name__)


class LiveRun:
    """Sends each epoch's metrics to MLflow from a thread of its own; training never waits for it.

    A server that is away, dies, or hangs is one warning. What it missed is sent once it is back, or
    comes from disk after training (`runs.upsert`). A training that is resumed continues its run.

        with LiveRun(record, tracking_uri=uri) as live:
            for epoch in range(epochs):
                live.on_epoch(epoch, {"loss": 0.7, "validation_loss": 0.9})

    `record` is what of record.json is known before training: key, model, params and so on.
    """

    def __init__(
        self, record: Mapping[str, Any], *, tracking_uri: str, patience: float = 5
    ) -> None:
        """`patience`: seconds to wait at the end for what is still on its way."""
        self._record = record
        self._tracking_uri = tracking_uri
        self._patience = patience
        self._queue: SimpleQueue[tuple[list[_Point], str | None]] = SimpleQueue()
        # A daemon: a server that hangs must not keep the process alive.
        self._thread = Thread(target=self._work, name="mlflow", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Hand over one epoch's metrics, named as in history.csv; returns at once."""
        now = int(time.time() * 1000)
        points = [(name, value, now, epoch) for name, value in epoch_metrics(metrics).items()]
        self._queue.put((points, None))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._queue.put(([], "FINISHED" if kind is None else "FAILED"))
        self._thread.join(self._patience)

    def _work(self) -> None:
        waiting, status = self._queue.get()
        # Here, after the first epoch: importing MLflow takes seconds, and tracing a model likewise,
        # so that both at once would fight for the interpreter.
        from pipeline.tracking.session import Session
        from pipeline.tracking.store import FAILURES

        session = Session(self._record, self._tracking_uri)
        warned = False
        while True:
            try:
                session.send(waiting, status)
            except (*FAILURES, TrackingError) as error:
                if not warned:
                    log.warning(
                        "MLflow at %s is away; training continues: %s", self._tracking_uri, error
                    )
                warned = True
            else:
                waiting = []
            if status is not None:
                return
            points, status = self._queue.get()
            waiting += points


_Point = tuple[str, float, int, int]  # name, value, milliseconds since 1970, epoch
