"""The alias of the champion, given and given back, in a real registry in a SQLite store."""

import json

import pytest
from mlflow import MlflowClient

from pipeline.errors import TrackingError
from pipeline.tracking.champions import UNTIL, appoint, champion, history, rollback
from pipeline.tracking.lookup import CHAMPION, MODEL


@pytest.fixture
def client(store: str) -> MlflowClient:
    """Of a registry with four versions, none of them champion."""
    client = MlflowClient(store, registry_uri=store)
    client.create_registered_model(MODEL)
    for _ in range(4):
        client.create_model_version(MODEL, "file:///nowhere")
    return client


def make_champions(client: MlflowClient, *numbers: int) -> None:
    for number in numbers:
        appoint(client, client.get_model_version(MODEL, str(number)))


def present(client: MlflowClient) -> str:
    version = champion(client)
    assert version is not None
    return str(version.version)


def test_each_rollback_goes_one_champion_further_back(client: MlflowClient, store: str) -> None:
    make_champions(client, 1, 2, 4)
    done = rollback(tracking_uri=store)
    assert (done.lost, done.champion, present(client)) == ("4", "2", "2")
    assert UNTIL in client.get_model_version(MODEL, "4").tags
    assert rollback(tracking_uri=store).champion == present(client) == "1"
    with pytest.raises(TrackingError, match=r"version 1 .* is the first champion"):
        rollback(tracking_uri=store)
    assert present(client) == "1"


def test_after_a_rollback_others_become_champion_again(client: MlflowClient, store: str) -> None:
    make_champions(client, 1, 2)
    rollback(tracking_uri=store)
    make_champions(client, 3, 2)
    assert history(client) == ["1", "3", "2"]
    assert UNTIL not in client.get_model_version(MODEL, "2").tags
    assert rollback(tracking_uri=store).champion == "3"
    assert rollback(tracking_uri=store).champion == "1"


def test_a_champion_that_came_back_is_not_gone_back_to_twice(
    client: MlflowClient, store: str
) -> None:
    make_champions(client, 1, 2, 1)
    assert [rollback(tracking_uri=store).champion for _ in range(2)] == ["2", "1"]
    with pytest.raises(TrackingError, match="none before it"):
        rollback(tracking_uri=store)


def test_a_champion_made_by_hand_counts(client: MlflowClient, store: str) -> None:
    make_champions(client, 1)
    client.set_registered_model_alias(MODEL, CHAMPION, "3")
    assert history(client) == ["1", "3"]
    make_champions(client, 4)
    assert [rollback(tracking_uri=store).champion for _ in range(2)] == ["3", "1"]


def test_a_version_that_was_deleted_is_passed_over(client: MlflowClient, store: str) -> None:
    make_champions(client, 1, 2, 3)
    client.delete_model_version(MODEL, "2")
    assert rollback(tracking_uri=store).champion == "1"


def test_a_rollback_that_broke_off_ends_where_it_should(
    client: MlflowClient, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise OSError("the server died")

    make_champions(client, 1, 2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", die)
        with pytest.raises(TrackingError, match="the server died"):
            rollback(tracking_uri=store)
    assert present(client) == "3"
    assert rollback(tracking_uri=store).champion == present(client) == "2"


def test_the_history_keeps_within_what_a_tag_holds(client: MlflowClient) -> None:
    client.set_registered_model_tag(MODEL, "champions", json.dumps(["12345"] * 500))
    make_champions(client, 1)
    assert len(history(client)) == 500
    assert len(client.get_registered_model(MODEL).tags["champions"]) < 5000


def test_without_a_champion_there_is_nothing_to_roll_back(client: MlflowClient, store: str) -> None:
    with pytest.raises(TrackingError, match=r"has no champion; .* promote"):
        rollback(tracking_uri=store)


def test_without_a_registered_model_either(store: str) -> None:
    with pytest.raises(TrackingError, match=f"has no model {MODEL}; .* promote"):
        rollback(tracking_uri=store)


def test_without_a_store_none_is_made(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackingError, match="there is no registry at mlruns"):
        rollback(tracking_uri="sqlite:///mlruns/mlflow.db")
    assert not list(tmp_path.iterdir())
