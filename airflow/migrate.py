"""Create or upgrade Airflow's database; killed at any moment, the old or the new one is whole.

Airflow itself leaves a half-made SQLite database, on which every later start may fail. So a copy is
migrated, and renamed at the end. Other databases are migrated in place.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SQLITE = "sqlite:///"


def migrate(address: str) -> int:
    """Bring the database at `address` to the installed Airflow's schema; the exit status."""
    if not address.startswith(SQLITE):
        return _airflow(address, "migrate")
    path = Path(address.removeprefix(SQLITE).partition("?")[0])
    if path.exists() and not _airflow(address, "check-migrations", "--migration-wait-timeout", "0"):
        return 0
    copy = path.with_name(f"{path.name}.new")
    _delete(copy)
    if path.exists():
        _copy(path, copy)
    if _airflow(address.replace(str(path), str(copy)), "migrate"):
        sys.exit(f"{path} cannot be migrated; delete it to start with an empty database")
    _delete_logs(copy)
    _delete_logs(path)
    copy.replace(path)
    return 0


def _airflow(address: str, *command: str) -> int:
    environment = os.environ | {ADDRESS: address}
    return subprocess.run(["airflow", "db", *command], env=environment, check=False).returncode


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _delete_logs(path: Path) -> None:
    """Write SQLite's write-ahead log into the database, and delete it.

    A log that a killed process left would be replayed into whatever database has its name.
    """
    if path.exists():
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    _delete_logs(path)


if __name__ == "__main__":
    sys.exit(migrate(os.environ[ADDRESS]))
