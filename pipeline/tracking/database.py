"""MLflow's SQLite database: complete and of the installed MLflow's schema, or not there."""

import logging
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import mlflow.db
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _verify_schema
from mlflow.utils.file_utils import ExclusiveFileLock
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from pipeline.errors import TrackingError
from pipeline.files import written_aside

log = logging.getLogger(__name__)


def prepare_database(path: Path) -> None:
    """Create the database, or upgrade its schema, where needed.

    MLflow does this in place, one migration at a time, and a process that ends meanwhile leaves a
    database that MLflow refuses from then on. Here a copy is migrated, under a lock, and renamed.

    Raises TrackingError if the file is damaged, or cannot be upgraded.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExclusiveFileLock(str(path.with_name(f".{path.name}.lock"))):
        if not path.is_file():
            _migrate(None, path)
        elif not _is_current(path):
            _upgrade(path)


def _is_current(path: Path) -> bool:
    """Whether MLflow opens the database as it is."""
    try:
        # The check that MLflow's own store makes; without a pool, no connection outlives it.
        _verify_schema(create_engine(f"sqlite:///{path}", poolclass=NullPool))
    except MlflowException:
        return False
    except OperationalError:  # locked, or without permission
        raise
    except DatabaseError as error:
        raise _unusable(path, error) from error
    return True


def _upgrade(path: Path) -> None:
    try:
        _migrate(path, path)
    except (CommandError, DatabaseError) as error:
        if _holds_experiments(path):
            raise _unusable(path, error) from error
        log.warning("%s was never completed; it is made again", path)
        _migrate(None, path)


def _migrate(source: Path | None, path: Path) -> None:
    """Write `source` (None: an empty database) in the present schema to `path`, atomically."""
    with written_aside(path) as aside:
        # Left by a process that was killed here, or beside a database that was deleted: SQLite
        # would apply such a journal to the new file.
        aside.unlink(missing_ok=True)
        for database in (aside,) if source else (aside, path):
            Path(f"{database}-journal").unlink(missing_ok=True)
        if source:
            with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(aside)) as new:
                old.backup(new)
        mlflow.db.upgrade.callback(f"sqlite:///{aside}")


def _holds_experiments(path: Path) -> bool:
    """By SQL, since no client opens a database that is half migrated."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT 1 FROM experiments").fetchone() is not None
    except sqlite3.OperationalError:  # there is no such table yet
        return False


def _unusable(path: Path, error: Exception) -> TrackingError:
    reason = str(error).partition("\n")[0]  # SQLAlchemy adds the statement and a link
    return TrackingError(
        f"MLflow {version('mlflow')} cannot use the database {path}: {reason}; move it away, and "
        "`python -m pipeline track` fills a new one from the trained models"
    )
