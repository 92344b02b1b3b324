"""Training goes on, whatever the server does."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.tracking.live import LiveRun
from tests.tracking.conftest import contents, history, make_record


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_hangs_costs_no_more_than_the_patience(silent_server: str) -> None:
    started = time.monotonic()
    with LiveRun(make_record("csn-rgb"), tracking_uri=silent_server, patience=0.5) as live:
        for row in history(50):
            live.on_epoch(int(row["epoch"]), row)
        assert time.monotonic() - started < 1
    assert time.monotonic() - started < 5


def test_a_server_that_is_away_is_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with LiveRun(make_record("csn-rgb"), tracking_uri="http://127.0.0.1:9", patience=120) as live:
        for row in history(3):
            live.on_epoch(int(row["epoch"]), row)
    assert caplog.text.count("http://127.0.0.1:9 is away; training continues") == 1


def test_what_a_server_missed_is_sent_once_it_is_back(
    store: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log_batch, calls = MlflowClient.log_batch, iter(range(10))

    def dies_twice(*args: Any, **kwargs: Any) -> None:
        if next(calls) in (1, 2):
            raise MlflowException("the server died")
        log_batch(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", dies_twice)
    with LiveRun(make_record("csn-rgb"), tracking_uri=store, patience=120) as live:
        for row in history(4):
            live.on_epoch(int(row["epoch"]), row)
    logged = [row[2] for row in contents(store)["metrics"] if row[1] == "epoch/loss"]
    assert logged == [0, 1, 2, 3]
    assert caplog.text.count(f"{store} is away; training continues") == 1


def test_an_error_of_the_training_comes_through(silent_server: str) -> None:
    with (
        pytest.raises(ValueError, match="not a number"),
        LiveRun(make_record("csn-rgb"), tracking_uri=silent_server, patience=0.1),
    ):
        raise ValueError("the loss is not a number")
