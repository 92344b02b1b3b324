"""What a store holds, asked without MLflow."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from pipeline.tracking.runs import upsert
from pipeline.tracking.status import is_tracked
from pipeline.tracking.trained import read_trained

Write = Callable[..., tuple[Path, Path]]


def test_a_local_store_knows_what_it_holds(trained: Write, store: str) -> None:
    folders = trained()
    fingerprint = read_trained(*folders).fingerprint
    assert not is_tracked(fingerprint, store)
    upsert(*folders, tracking_uri=store)
    assert is_tracked(fingerprint, store)
    assert not is_tracked("another", store)
    Path(store.removeprefix("sqlite:///")).unlink()
    assert not is_tracked(fingerprint, store)


def test_asking_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert not is_tracked("f", f"sqlite:///{tmp_path}/none/mlflow.db")
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_store_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    assert not is_tracked("f", f"sqlite:///{tmp_path}/mlflow.db")


def test_a_store_of_another_kind_is_left_to_mlflow() -> None:
    assert not is_tracked("f", "postgresql://somewhere/db")


def test_a_server_that_is_away_raises() -> None:
    with pytest.raises(requests.ConnectionError):
        is_tracked("f", "http://127.0.0.1:9")


def test_neither_asking_nor_live_runs_import_mlflow() -> None:
    code = (
        "import sys, pipeline.commands.track, pipeline.tracking.live\n"
        "heavy = {'mlflow', 'keras', 'tensorflow'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
