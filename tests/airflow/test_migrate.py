"""Airflow's database is whole whenever the process that makes it is killed."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands for `airflow`: a table, a pause in which it can be killed, a second table.
STUB = """#!{python}
import os, sqlite3, sys, time
path = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///").split("?")[0]
database = sqlite3.connect(path, isolation_level=None)
tables = [name for name, in database.execute("SELECT name FROM sqlite_master ORDER BY name")]
if sys.argv[2] == "check-migrations":
    sys.exit("second" not in tables)
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE first (value)")  # fails on a half-made database
open(path + ".half", "w").close()
time.sleep(float(os.environ.get("PAUSE", 0)))
database.execute("CREATE TABLE second (value)")
"""


@pytest.fixture
def environment(tmp_path):
    """Where the stub is `airflow`, and the database lies in `tmp_path`."""
    stub = tmp_path / "bin/airflow"
    stub.parent.mkdir()
    stub.write_text(STUB.format(python=sys.executable))
    stub.chmod(0o755)
    path = f"{stub.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    address = f"sqlite:///{tmp_path}/airflow.db?timeout=60"
    return os.environ | {"PATH": path, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address}


def start(environment):
    """Start a migration in a session of its own."""
    command = [sys.executable, str(ROOT / "airflow/migrate.py")]
    return subprocess.Popen(command, env=environment, start_new_session=True, cwd=ROOT)


def kill_when(condition, migration):
    while not condition():
        assert migration.poll() is None
        time.sleep(0.01)
    os.killpg(migration.pid, signal.SIGKILL)
    migration.wait()


def query(path, statement):
    with closing(sqlite3.connect(path)) as database:
        return [value for (value,) in database.execute(statement)]


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def test_a_killed_first_migration_leaves_no_database_and_the_next_makes_one(environment, tmp_path):
    migration = start(environment | {"PAUSE": "60"})
    kill_when((tmp_path / "airflow.db.new.half").exists, migration)
    assert not (tmp_path / "airflow.db").exists()
    assert start(environment).wait() == 0
    assert query(tmp_path / "airflow.db", TABLES) == ["first", "second"]


def test_a_killed_upgrade_leaves_the_old_database_and_the_next_keeps_its_rows(
    environment, tmp_path
):
    path = tmp_path / "airflow.db"
    query(path, "CREATE TABLE runs AS SELECT 7 AS run")
    before = path.read_bytes()
    migration = start(environment | {"PAUSE": "60"})
    kill_when((tmp_path / "airflow.db.new.half").exists, migration)
    assert path.read_bytes() == before
    assert start(environment).wait() == 0
    assert query(path, TABLES) == ["first", "runs", "second"]
    assert query(path, "SELECT run FROM runs") == [7]


def test_a_write_ahead_log_of_a_killed_service_is_kept_and_not_replayed_later(
    environment, tmp_path
):
    path = tmp_path / "airflow.db"
    code = (
        "import os, sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "database.execute('PRAGMA journal_mode=WAL');"
        "database.execute('CREATE TABLE runs AS SELECT 7 AS run'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert (tmp_path / "airflow.db-wal").stat().st_size
    assert start(environment).wait() == 0
    assert not (tmp_path / "airflow.db-wal").exists()
    assert query(path, "SELECT run FROM runs") == [7]


def test_a_database_that_is_up_to_date_is_not_touched(environment, tmp_path):
    assert start(environment).wait() == 0
    before = (tmp_path / "airflow.db").stat()
    assert start(environment).wait() == 0
    assert (tmp_path / "airflow.db").stat().st_ino == before.st_ino


def test_a_database_that_cannot_be_migrated_stays_and_the_message_says_what_to_do(
    environment, tmp_path, capfd
):
    query(tmp_path / "airflow.db", "CREATE TABLE first (value)")
    assert start(environment).wait() != 0
    assert "delete it to start with an empty database" in capfd.readouterr().err
    assert query(tmp_path / "airflow.db", TABLES) == ["first"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (Path(sys.executable).parent / "airflow").exists(),
    reason="Airflow is not installed; `make airflow` installs it",
)
def test_the_real_airflow_killed_while_it_makes_tables_starts_afterwards(environment, tmp_path):
    (tmp_path / "bin/airflow").unlink()
    environment |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    new = tmp_path / "airflow.db.new"
    migration = start(environment)
    kill_when(lambda: new.exists() and new.with_name(f"{new.name}-wal").exists(), migration)
    assert not (tmp_path / "airflow.db").exists()
    assert start(environment).wait() == 0
    assert "alembic_version" in query(tmp_path / "airflow.db", TABLES)
    assert query(tmp_path / "airflow.db", "SELECT pool FROM slot_pool") == ["default_pool"]
    made = (tmp_path / "airflow.db").stat().st_ino
    assert start(environment).wait() == 0
    assert (tmp_path / "airflow.db").stat().st_ino == made
