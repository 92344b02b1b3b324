"""Where runs are tracked."""

from pathlib import Path

from pipeline.tracking.address import database_path


def test_only_sqlite_stores_are_files() -> None:
    assert database_path("sqlite:///mlruns/mlflow.db") == Path("mlruns/mlflow.db")
    assert database_path("sqlite:////var/mlflow.db") == Path("/var/mlflow.db")
    assert database_path("postgresql://somewhere/db") is None
    assert database_path("http://127.0.0.1:5000") is None
