"""Which version `models:/NAME@ALIAS` is, told without importing MLflow.

Importing MLflow takes longer than classifying a video. So a server is asked over HTTP, and a SQLite
store is read, never written; only what these two do not answer is left to MLflow itself.
"""

import base64
import json
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

from pipeline.errors import TrackingError
from pipeline.tracking.address import database_path

MODEL, CHAMPION = "video-classification", "champion"
CHAMPION_URI = f"models:/{MODEL}@{CHAMPION}"
BUNDLE = "pipeline.bundle"  # the tag of a version that holds its bundle's hash
BUNDLE_FOLDER = "data/bundle"  # within a registered model
ORIGIN = "origin"  # within a run's artifacts: what its model was made from
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")
_TIMEOUT = 5  # seconds


@dataclass(frozen=True)
class Version:
    """A version of a registered model; `bundle` is its bundle's hash, or empty."""

    name: str
    number: str
    bundle: str
    run_id: str

    @property
    def uri(self) -> str:
        """Its address, by number."""
        return f"models:/{self.name}/{self.number}"


class _Asked(NamedTuple):
    """A version by its alias, or by its number."""

    name: str
    alias: str | None
    number: str | None


def find_version(uri: str, *, tracking_uri: str) -> Version:
    """The version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` means.

    Raises a TrackingError where there is none, or MLflow is away.
    """
    match = _URI.fullmatch(uri)
    if not match:
        raise TrackingError(
            f"{uri} is not a registered model; write models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    require_store(tracking_uri)
    path = database_path(tracking_uri)
    asked, found = _Asked(**match.groupdict()), None
    if path is not None:
        found = _in_database(path, asked)
    elif tracking_uri.startswith("http"):
        found = _on_server(tracking_uri, asked)
    return found or _by_mlflow(uri, asked, tracking_uri)


def require_store(tracking_uri: str) -> None:
    """Refuse a SQLite store that is not there: MLflow would make it."""
    path = database_path(tracking_uri)
    if path is not None and not path.is_file():
        raise TrackingError(
            f"there is no registry at {path}; `python -m pipeline promote` makes one, or set "
            "MLFLOW_TRACKING_URI to the server that has it"
        )


def _in_database(path: Path, asked: _Asked) -> Version | None:
    by_alias = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
    by_number = (
        "SELECT run_id, key, value FROM model_versions "
        "LEFT JOIN model_version_tags USING (name, version) WHERE name = ? AND version = ?"
    )
    number = asked.number
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            if asked.alias:
                row = database.execute(by_alias, (asked.name, asked.alias)).fetchone()
                number = row and row[0]
            rows = database.execute(by_number, (asked.name, number)).fetchall()
    except sqlite3.DatabaseError:  # damaged, or of another schema: MLflow says what is wrong
        return None
    if not rows:
        return None
    tags = {key: value for _, key, value in rows}
    return Version(asked.name, str(number), tags.get(BUNDLE, ""), rows[0][0])


def _on_server(address: str, asked: _Asked) -> Version | None:
    """What the server says; None also if it is away, or refuses: MLflow says what is wrong."""
    from urllib.request import Request, urlopen  # for those who have a server

    kind, values = "model-versions/get", {"name": asked.name, "version": asked.number}
    if asked.alias:
        kind, values = "registered-models/alias", {"name": asked.name, "alias": asked.alias}
    url = f"{address.rstrip('/')}/api/2.0/mlflow/{kind}?{urlencode(values)}"
    try:
        with urlopen(Request(url, headers=_credentials()), timeout=_TIMEOUT) as answer:
            version = json.load(answer)["model_version"]
    except (OSError, ValueError, KeyError):
        return None
    tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
    return Version(asked.name, str(version["version"]), tags.get(BUNDLE, ""), version["run_id"])


def _credentials() -> dict[str, str]:
    """The header that MLflow would send, from the same variables."""
    token, user, password = (
        os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("TOKEN", "USERNAME", "PASSWORD")
    )
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    how = f"Bearer {token}" if token else f"Basic {basic}"
    return {"Authorization": how} if token or user else {}


def _by_mlflow(uri: str, asked: _Asked, tracking_uri: str) -> Version:
    from mlflow import MlflowClient

    from pipeline.tracking.store import FAILURES

    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    try:
        if asked.alias:
            version = client.get_model_version_by_alias(asked.name, asked.alias)
        else:
            version = client.get_model_version(asked.name, asked.number)
    except FAILURES as error:
        raise TrackingError(
            f"MLflow at {tracking_uri} did not give {uri}: {error}; `python -m pipeline models` "
            "lists what it has"
        ) from error
    return Version(asked.name, str(version.version), version.tags.get(BUNDLE, ""), version.run_id)
