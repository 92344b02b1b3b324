"""What airflow/trigger.py sends, refuses and prints, against a small stand-in of the REST API."""

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("airflow_client", reason="`make airflow` installs it")


class Api(BaseHTTPRequestHandler):
    """Answers as Airflow does; each trigger adds its body to `triggered`."""

    triggered: ClassVar[list[dict]] = []
    refusals = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        """No DAG has the name."""
        self.answer(404, {"detail": "not found"})

    def do_POST(self):
        """Log in, or refuse a trigger: what follows needs a real Airflow."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            self.answer(201, {"access_token": "token"})
            return
        Api.triggered.append(body)
        busy = len(Api.triggered) <= Api.refusals
        self.answer(500 if busy else 422, {"detail": "invalid"})

    def answer(self, status, document):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@pytest.fixture
def server():
    """The stand-in, on a free port."""
    Api.triggered, Api.refusals = [], 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


@pytest.fixture
def project(tmp_path):
    """A project in which airflow/serve has made a login."""
    shutil.copytree(ROOT / "airflow", tmp_path / "airflow")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / ".airflow").mkdir()
    (tmp_path / ".airflow/passwords.json").write_text('{"admin": "secret"}')
    return tmp_path


def trigger(project, server, dag, params):
    environment = os.environ | {"AIRFLOW_PORT": str(server.server_port), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, project / "airflow/trigger.py", dag, json.dumps(params)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"trian.max_steps": 1}, "dataset, extract, train"),
        ({"train.max_steps": 0}, "greater than or equal to 1"),
    ],
)
def test_a_form_that_a_run_would_refuse_is_not_triggered(project, server, params, rule):
    assert rule in trigger(project, server, "retrain", params)
    assert Api.triggered == []


def test_what_airflow_answers_is_printed_in_one_line(project, server):
    printed = trigger(project, server, "retain", {})
    assert printed == 'retain: Airflow answers 404: {"detail": "not found"}\n'


def test_the_form_is_sent_again_after_a_busy_database(project, server):
    Api.refusals = 2
    assert "answers 422" in trigger(project, server, "retrain", {"dataset.split": 2})
    assert [body["conf"] for body in Api.triggered] == [{"dataset.split": 2}] * 3


def test_without_airflow_the_error_says_how_to_start_it(project, server):
    server.shutdown()
    server.server_close()
    assert "`make airflow` starts it" in trigger(project, server, "retrain", {})
