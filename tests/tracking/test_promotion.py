"""Who becomes champion, against a real registry in a SQLite store."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.errors import BundleError, TrackingError
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.tracking.lookup import CHAMPION, MODEL
from pipeline.tracking.promotion import (
    Answers,
    Challenger,
    Match,
    Promotion,
    Rematch,
    leads_by_group,
    promote,
)
from tests.tracking.conftest import write_bundle

GROUPS = 20
CLIPS = 3  # of each group
TEST = partial(paired_permutation_test, alternative="greater")
Challenge = Callable[..., Promotion]


def no_rematch(uri: str) -> Match:
    """As the champion's version has no bundle."""
    raise BundleError(f"{uri} holds no bundle")


def answers(
    wrong: Iterable[int] = (), *, groups: int = GROUPS, classes: str = "AB", test_set: str = ""
) -> Answers:
    """Of a model that fails on every clip of the groups numbered `wrong`."""
    clips = {f"A/g{group:02}_c{clip}": group for group in range(groups) for clip in range(CLIPS)}
    return Answers(
        tuple(classes),
        {clip: f"g{group:02}" for clip, group in clips.items()},
        {clip: group not in set(wrong) for clip, group in clips.items()},
        test_set,
    )


@pytest.fixture
def challenge(trained: Callable[..., tuple[Path, Path]], store: str) -> Challenge:
    """Train (not really) and promote a model with these answers."""

    def run(
        name: str, *wrong: int, rematch: Rematch = no_rematch, export: str = "", **changes: Any
    ) -> Promotion:
        train, evaluation = trained(name)
        bundle = write_bundle(train, export) if export else None
        challenger = Challenger(train, evaluation, answers(wrong, **changes), bundle)
        return promote(challenger, tracking_uri=store, test=TEST, rematch=rematch)

    return run


def champion(uri: str) -> ModelVersion:
    return MlflowClient(uri, registry_uri=uri).get_model_version_by_alias(MODEL, CHAMPION)


def versions(uri: str) -> list[ModelVersion]:
    return list(MlflowClient(uri, registry_uri=uri).search_model_versions(f"name = '{MODEL}'"))


def test_the_first_model_becomes_champion(challenge: Challenge, store: str) -> None:
    promotion = challenge("csn-rgb", 1, 2, 3)
    assert promotion.promoted
    assert promotion.verdict == "csn-rgb (version 1) is the first champion"
    version = champion(store)
    assert version.tags["promotion.verdict"] == promotion.verdict
    mlflow.set_tracking_uri(store)
    assert mlflow.keras.load_model(f"models:/{MODEL}@{CHAMPION}").output_shape == (None, 3)


def test_a_better_model_is_promoted(challenge: Challenge, store: str) -> None:
    challenge("csn-rgb", *range(8))
    promotion = challenge("r2plus1d-rgb", 19)
    assert promotion.promoted
    assert "beats the champion (version 1)" in promotion.verdict
    assert "57 against 36 of 60 test clips correct" in promotion.verdict
    assert champion(store).version == 2


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param((8, 9), "54 against 57 of 60 test clips correct", id="worse"),
        pytest.param((7,), "57 against 57 of 60 test clips correct", id="equal"),
        pytest.param((), "60 against 57 of 60", id="better by what chance may bring"),
    ],
)
def test_another_model_is_not_promoted(
    challenge: Challenge, store: str, wrong: tuple[int, ...], why: str
) -> None:
    challenge("csn-rgb", 7)
    promotion = challenge("r2plus1d-rgb", *wrong)
    assert not promotion.promoted
    assert "does not beat the champion (version 1) by more than chance" in promotion.verdict
    assert why in promotion.verdict
    assert champion(store).version == 1
    assert len(versions(store)) == 2


def test_a_model_is_never_registered_twice(challenge: Challenge, store: str) -> None:
    challenge("csn-rgb", 7)
    again = challenge("csn-rgb", 7)
    assert again.verdict == "csn-rgb (version 1) is the champion already"
    assert not again.promoted
    challenge("r2plus1d-rgb", 7)
    challenge("r2plus1d-rgb", 7)
    assert len(versions(store)) == 2


def test_a_promotion_that_broke_off_goes_on_in_the_same_version(
    challenge: Challenge, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise MlflowException("the server died")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", die)
        with pytest.raises(TrackingError, match="promote again once it is back: the server died"):
            challenge("csn-rgb")
    assert challenge("csn-rgb").promoted
    assert len(versions(store)) == 1


def test_models_are_compared_on_the_clips_that_both_were_tested_on(challenge: Challenge) -> None:
    challenge("csn-rgb", *range(8))
    promotion = challenge("r2plus1d-rgb", 25, groups=30)
    assert "60 against 36 of 60 test clips correct" in promotion.verdict


def test_models_of_other_classes_are_not_compared_without_a_bundle(
    challenge: Challenge, store: str
) -> None:
    challenge("csn-rgb", *range(8))
    promotion = challenge("r2plus1d-rgb", classes="AC")
    assert not promotion.promoted
    assert "cannot be compared with the champion (version 1)" in promotion.verdict
    assert "models:/video-classification/1 holds no bundle; remove the alias" in promotion.verdict
    assert champion(store).version == 1


@pytest.mark.parametrize(
    "changes",
    [{"classes": "AC"}, {"groups": GROUPS + 1}, {"test_set": "other contents"}],
    ids=["other classes", "other clips", "other contents"],
)
def test_on_another_test_set_the_champion_answers_again(
    challenge: Challenge, changes: dict[str, Any]
) -> None:
    asked = []

    def rematch(uri: str) -> Match:
        asked.append(uri)
        return Match(answers(), answers(range(9)), note="; evaluated again")

    challenge("csn-rgb")
    promotion = challenge("r2plus1d-rgb", *range(20), rematch=rematch, **changes)
    assert asked == ["models:/video-classification/1"]
    assert promotion.promoted
    assert promotion.verdict.endswith("over groups); evaluated again")
    assert "60 against 33 of 60 test clips correct" in promotion.verdict


def test_on_the_same_test_set_nothing_is_evaluated_again(challenge: Challenge) -> None:
    challenge("csn-rgb", *range(8))
    assert challenge("r2plus1d-rgb", 19).promoted


@pytest.mark.parametrize(
    ("challenger", "other", "promoted", "said"),
    [
        pytest.param((), (7,), True, "it is not worse", id="about as good"),
        pytest.param((7, 8), (7,), True, "it is not worse", id="worse by what chance may bring"),
        pytest.param(range(9), (), False, "it is worse", id="worse"),
        pytest.param((), range(9), True, "beats the champion", id="better"),
    ],
)
def test_a_model_of_more_classes_need_only_not_be_worse_on_the_others(
    challenge: Challenge,
    store: str,
    challenger: Iterable[int],
    other: Iterable[int],
    promoted: bool,
    said: str,
) -> None:
    match = Match(answers(challenger), answers(other), added=("C", "D"))
    challenge("csn-rgb")
    promotion = challenge("r2plus1d-rgb", classes="ABCD", rematch=lambda uri: match)
    assert promotion.promoted is promoted
    assert said in promotion.verdict
    assert champion(store).version == (2 if promoted else 1)


def test_the_champion_exported_again_replaces_itself(challenge: Challenge, store: str) -> None:
    challenge("csn-rgb")
    for number, export in enumerate(("first", "second"), start=2):
        promotion = challenge("csn-rgb", export=export)
        assert promotion.promoted
        assert "the same network, exported again" in promotion.verdict
        assert champion(store).version == number
    assert challenge("csn-rgb", export="second").verdict.endswith("is the champion already")
    assert len(versions(store)) == 3


def test_an_absent_server_is_an_error_that_says_what_to_do(
    trained: Callable[..., tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="promote again once it is back"):
        promote(
            Challenger(*trained(), answers()),
            tracking_uri="http://127.0.0.1:9",
            test=TEST,
            rematch=no_rematch,
        )


def test_leads_are_by_group_over_the_clips_that_both_judged() -> None:
    fewer = answers(range(2), groups=3)
    assert leads_by_group(answers(), fewer).tolist() == [CLIPS, CLIPS, 0]
    assert leads_by_group(fewer, answers()).tolist() == [-CLIPS, -CLIPS, 0]
