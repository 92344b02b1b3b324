"""Which version of the registered model is champion, and which were before it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.errors import TrackingError
from pipeline.tracking.lookup import CHAMPION, MODEL, require_store
from pipeline.tracking.store import FAILURES

SINCE, UNTIL = "champion.since", "champion.rolled_back"  # tags of a version: when
_HISTORY = "champions"  # tag of the registered model: versions, the present champion last
_KEPT = 500  # champions in the history: a tag holds 5,000 letters


@dataclass(frozen=True)
class Rollback:
    """The version that lost the alias, and the one that has it again."""

    lost: str
    champion: str


def champion(client: MlflowClient) -> ModelVersion | None:
    """The version that carries the alias."""
    number = client.get_registered_model(MODEL).aliases.get(CHAMPION)
    return client.get_model_version(MODEL, number) if number else None


def appoint(client: MlflowClient, version: ModelVersion) -> None:
    """Give the alias to `version`, and write it into the history."""
    earlier = history(client)
    # The alias first: if the history misses it, `history` adds it.
    _give_alias(client, str(version.version))
    _write(client, [*earlier, str(version.version)])
    client.set_model_version_tag(MODEL, version.version, SINCE, _now())


def rollback(*, tracking_uri: str) -> Rollback:
    """Give the alias back to the champion before the present one; versions stay registered.

    Raises a TrackingError where there is none before it.
    """
    require_store(tracking_uri)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    with explained(tracking_uri):
        if champion(client) is None:
            raise TrackingError(f"{MODEL} has no champion; `python -m pipeline promote` makes one")
        *earlier, present = history(client)
        left = _registered(client)
        earlier = [number for number in earlier if number in left]
        if not earlier:
            raise TrackingError(
                f"version {present} of {MODEL} is the first champion that is known; there is none "
                f"before it. Set the alias {CHAMPION} in MLflow to use another version"
            )
        # The history first: if the alias stays behind, the next rollback ends at the same version.
        _write(client, earlier)
        _give_alias(client, earlier[-1])
        client.set_model_version_tag(MODEL, present, UNTIL, _now())
    return Rollback(present, earlier[-1])


def history(client: MlflowClient) -> list[str]:
    """Champions by version, the present one last; also one that got the alias by hand."""
    model = client.get_registered_model(MODEL)
    known: list[str] = json.loads(model.tags.get(_HISTORY, "[]"))
    present = str(model.aliases.get(CHAMPION, ""))
    return known if not present or known[-1:] == [present] else [*known, present]


def _registered(client: MlflowClient) -> set[str]:
    return {str(each.version) for each in client.search_model_versions(f"name = '{MODEL}'")}


def _give_alias(client: MlflowClient, number: str) -> None:
    client.set_registered_model_alias(MODEL, CHAMPION, number)
    client.delete_model_version_tag(MODEL, number, UNTIL)


def _write(client: MlflowClient, versions: list[str]) -> None:
    client.set_registered_model_tag(MODEL, _HISTORY, json.dumps(versions[-_KEPT:]))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def explained(tracking_uri: str) -> Iterator[None]:
    """Turn what the registry raises into an error that says what to do."""
    try:
        yield
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise TrackingError(
                f"MLflow at {tracking_uri} has no model {MODEL}; `python -m pipeline promote` "
                "registers one"
            ) from error
        raise TrackingError(f"MLflow at {tracking_uri} failed: {error}") from error
    except FAILURES as error:
        raise TrackingError(f"MLflow at {tracking_uri} failed: {error}") from error
