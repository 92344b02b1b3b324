"""What airflow/serve and airflow/service do before and around Airflow, which a stub stands for."""

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with airflow/ and a stub of `airflow` that writes its arguments to calls.txt."""
    shutil.copytree(ROOT / "airflow", tmp_path / "airflow")
    stub = tmp_path / "bin/airflow"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls.txt\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(stub.parent), prepend=os.pathsep)
    return tmp_path


def test_a_taken_port_is_reported_before_anything_starts(project, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        monkeypatch.setenv("AIRFLOW_PORT", port)
        done = subprocess.run([project / "airflow/serve"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert "AIRFLOW_PORT=" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (project / "calls.txt").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "{}\n"),
        ("", "{}\n"),
        ('{"adm', "{}\n"),
        ('{"admin": "secret"}', '{"admin": "secret"}'),
    ],
)
def test_a_half_written_passwords_file_is_replaced_and_a_whole_one_kept(project, before, after):
    passwords = project / ".airflow/passwords.json"
    passwords.parent.mkdir()
    if before is not None:
        passwords.write_text(before)
    subprocess.run([project / "airflow/service", "api-server"], check=True)
    assert passwords.read_text() == after
    assert (project / "calls.txt").read_text() == "api-server\n"


def test_a_new_passwords_file_is_for_its_owner_alone(project):
    subprocess.run([project / "airflow/service", "api-server"], check=True)
    assert stat.S_IMODE((project / ".airflow/passwords.json").stat().st_mode) == 0o600
