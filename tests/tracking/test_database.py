"""MLflow's SQLite database is complete or not there, whatever happens while it is made."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config, _initialize_tables
from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.exc import DatabaseError

from pipeline.errors import TrackingError
from pipeline.tracking.database import prepare_database
from pipeline.tracking.store import connect

# Makes the database at argv[1], and dies by kill -9 at the argv[2]-th statement that it executes.
DIES = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from pipeline.tracking.database import prepare_database

left = iter(range(int(sys.argv[2]), 0, -1))

@event.listens_for(Engine, "after_cursor_execute")
def count(*_):
    if next(left) == 1:
        os.kill(os.getpid(), signal.SIGKILL)

prepare_database(Path(sys.argv[1]))
"""
CONNECTS = "import sys; from pipeline.tracking.store import connect; connect(sys.argv[1])"


def works(path: Path) -> bool:
    """Whether MLflow itself opens the store, and writes to it."""
    client = MlflowClient(f"sqlite:///{path}")
    client.create_experiment("another")
    return client.get_experiment_by_name("another") is not None


@pytest.fixture(scope="module")
def half_made(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What MLflow's own creation of a store leaves when it is killed, by number of statement."""
    folder = tmp_path_factory.mktemp("half made")
    states: dict[int, Path] = {}
    engine = create_engine(f"sqlite:///{folder / 'mlflow.db'}", poolclass=NullPool)

    @event.listens_for(sqlalchemy.engine.Engine, "after_cursor_execute")
    def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip()[:6].upper() not in ("SELECT", "PRAGMA"):
            state = folder / f"{len(states)}" / "mlflow.db"
            state.parent.mkdir()
            for file in folder.glob("mlflow.db*"):  # the journal too
                shutil.copy(file, state.parent)
            states[len(states)] = state

    try:
        _initialize_tables(engine)
    finally:
        event.remove(sqlalchemy.engine.Engine, "after_cursor_execute", keep)
    return states


@pytest.mark.parametrize("moment", [0.0, 0.03, 0.3, 0.55, 0.8, 0.99])
def test_a_store_that_mlflow_left_half_made_is_completed(
    half_made: dict[int, Path], moment: float
) -> None:
    path = half_made[int(moment * len(half_made))]
    prepare_database(path)
    assert works(path)


@pytest.mark.parametrize("statement", [1, 40, 400])
def test_a_kill_while_it_is_made_leaves_no_store_and_hinders_no_later_start(
    tmp_path: Path, statement: int
) -> None:
    path = tmp_path / "mlflow.db"
    died = subprocess.run([sys.executable, "-c", DIES, path, str(statement)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not path.exists()
    prepare_database(path)
    assert works(path)


def test_processes_that_start_together_make_one_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    started = [subprocess.Popen([sys.executable, "-c", CONNECTS, uri]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    names = [each.name for each in MlflowClient(uri).search_experiments()]
    assert sorted(names) == ["Default", "video-classification"]


def test_a_store_of_an_earlier_release_is_upgraded_with_what_it_holds(store: str) -> None:
    client, experiment = connect(store)
    run = client.create_run(experiment, tags={"kept": "yes"}).info.run_id
    path = tmp_file(store)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    config = _get_alembic_config(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.stamp(config, "heads")
        command.downgrade(config, "-1")
    prepare_database(path)
    assert MlflowClient(store).get_run(run).data.tags["kept"] == "yes"


def test_a_current_store_is_left_alone(store: str) -> None:
    path = tmp_file(store)
    before = path.stat()
    prepare_database(path)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", [b"no database " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    with pytest.raises(TrackingError, match=r"cannot use the database .*; move it away"):
        prepare_database(path)
    assert path.read_bytes() == content


def test_a_store_with_runs_that_cannot_be_upgraded_is_kept(store: str) -> None:
    connect(store)
    path = tmp_file(store)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of a later release'")
    before = path.read_bytes()
    with pytest.raises(TrackingError, match="of a later release"):
        prepare_database(path)
    assert path.read_bytes() == before


def test_a_locked_store_is_not_taken_for_a_damaged_one(store: str) -> None:
    with closing(sqlite3.connect(tmp_file(store))) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseError, match="locked"):
            prepare_database(tmp_file(store))


def test_a_journal_of_a_deleted_store_does_not_touch_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    (tmp_path / "mlflow.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" * 512)
    prepare_database(path)
    assert not (tmp_path / "mlflow.db-journal").exists()
    assert works(path)


def tmp_file(store: str) -> Path:
    return Path(store.removeprefix("sqlite:///"))
