"""Which version an address means, asked of a SQLite store and of a server, without MLflow."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlparse

import pytest
from mlflow import MlflowClient

from pipeline.errors import TrackingError
from pipeline.tracking.lookup import BUNDLE, Version, find_version

ALIAS, NUMBER = "models:/clips@champion", "models:/clips/2"
# Finds the version of argv[1] in the store argv[2], and fails if that took MLflow.
LOOKS_UP = """
import sys
from pipeline.tracking.lookup import find_version
print(find_version(sys.argv[1], tracking_uri=sys.argv[2]).number)
assert "mlflow" not in sys.modules and "numpy" not in sys.modules
"""


@pytest.fixture
def registry(store: str) -> str:
    """A store with a model of two versions; the second has a bundle and is the champion."""
    client = MlflowClient(store, registry_uri=store)
    client.create_registered_model("clips")
    for _ in range(2):
        client.create_model_version("clips", "file:///nowhere", "a1")
    client.set_model_version_tag("clips", "2", BUNDLE, "b5")
    client.set_registered_model_alias("clips", "champion", "2")
    return store


class Registry(BaseHTTPRequestHandler):
    """Answers as MLflow's server does, of one version, to whoever has the password."""

    def do_GET(self) -> None:
        address = urlparse(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        known = {
            "/api/2.0/mlflow/registered-models/alias": {"name": "clips", "alias": "champion"},
            "/api/2.0/mlflow/model-versions/get": {"name": "clips", "version": "2"},
        }
        allowed = self.headers["Authorization"] == "Basic YW5uOnNlY3JldA=="
        if not allowed or known.get(address.path) != asked:
            self.send_error(404 if allowed else 401)
            return
        tags = [{"key": BUNDLE, "value": "b5"}]
        version = {"name": "clips", "version": "2", "run_id": "a1", "tags": tags}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"model_version": version}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a `Registry`, whose password is known."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with HTTPServer(("127.0.0.1", 0), Registry) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.fixture(params=["registry", "server"])
def tracking_uri(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.mark.parametrize("uri", [ALIAS, NUMBER])
def test_a_version_is_found_without_mlflow(tracking_uri: str, uri: str) -> None:
    assert find_version(uri, tracking_uri=tracking_uri) == Version("clips", "2", "b5", "a1")
    command = [sys.executable, "-c", LOOKS_UP, uri, tracking_uri]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2\n"


def test_a_version_without_a_bundle_says_so(registry: str) -> None:
    assert find_version("models:/clips/1", tracking_uri=registry) == Version("clips", "1", "", "a1")


def test_one_that_is_not_there_is_an_error_that_names_it(registry: str) -> None:
    for uri in ("models:/clips@none", "models:/clips/3", "models:/other@champion"):
        with pytest.raises(TrackingError, match=f"did not give {uri}.*pipeline models"):
            find_version(uri, tracking_uri=registry)


@pytest.mark.parametrize("uri", ["clips", "models:/clips", "models:/m-0123", "models:/a@b/c"])
def test_what_is_not_an_address_is_an_error(store: str, uri: str) -> None:
    with pytest.raises(TrackingError, match="write models:/NAME@ALIAS or models:/NAME/VERSION"):
        find_version(uri, tracking_uri=store)


def test_without_a_store_none_is_made(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackingError, match="there is no registry at mlruns"):
        find_version(ALIAS, tracking_uri="sqlite:///mlruns/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_a_password_that_is_refused_is_an_error(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=f"MLflow at {server} did not give {ALIAS}"):
        find_version(ALIAS, tracking_uri=server)
