"""Metrics of the deployed system: a part that is away is shown as such, and hides no other."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("psycopg2", reason="Airflow is not installed; `make airflow` installs it")
pytest.importorskip("redis", reason="Airflow is not installed; `make airflow` installs it")
from prometheus_client import CollectorRegistry, generate_latest

PATH = Path(__file__).parents[2] / "docker/exporter.py"


@pytest.fixture
def exporter(tmp_path, monkeypatch):
    """The exporter's module, where no service of the system runs."""
    (tmp_path / ".airflow/logs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETRAIN_REPOSITORY", str(tmp_path / "runs.git"))
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://a:b@127.0.0.1:1/airflow"
    )
    monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("API_SERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    spec = importlib.util.spec_from_file_location("exporter", PATH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "exporter", module)
    spec.loader.exec_module(module)
    return module


def scraped(exporter):
    registry = CollectorRegistry()
    registry.register(exporter.Parts())
    return generate_latest(registry).decode()


def test_parts_that_are_away_are_shown_as_such_and_hide_no_other(exporter):
    text = scraped(exporter)
    for part in ("database", "queue", "api-server", "mlflow"):
        assert f'pipeline_up{{part="{part}"}} 0.0' in text
    assert 'pipeline_up{part="disks"} 1.0' in text
    assert "pipeline_disk_free_bytes{" in text


def test_no_password_is_shown(exporter, monkeypatch, caplog):
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://a:hunter2@127.0.0.1:1/x"
    )
    assert "hunter2" not in scraped(exporter) + caplog.text
