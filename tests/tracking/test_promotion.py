"""Who becomes champion, against a real registry in a SQLite store."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.commands.promote import run
from pipeline.errors import TrackingError
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.params import load_params
from pipeline.tracking.promotion import CHAMPION, MODEL, Answers, Promotion, leads_by_group, promote

ROOT = Path(__file__).parents[2]
GROUPS = 20
CLIPS = 3  # of each group
TEST = partial(paired_permutation_test, alternative="greater")
Challenge = Callable[..., Promotion]


def answers(wrong: Iterable[int] = (), *, groups: int = GROUPS, classes: str = "AB") -> Answers:
    """Of a model that fails on every clip of the groups numbered `wrong`."""
    clips = {f"A/g{group:02}_c{clip}": group for group in range(groups) for clip in range(CLIPS)}
    return Answers(
        tuple(classes),
        {clip: f"g{group:02}" for clip, group in clips.items()},
        {clip: group not in set(wrong) for clip, group in clips.items()},
    )


@pytest.fixture
def challenge(trained: Callable[..., tuple[Path, Path]], store: str) -> Challenge:
    """Train (not really) and promote a model with these answers."""

    def run(name: str, *wrong: int, **changes: Any) -> Promotion:
        return promote(*trained(name), answers(wrong, **changes), tracking_uri=store, test=TEST)

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


def test_models_of_other_classes_are_not_compared(challenge: Challenge, store: str) -> None:
    challenge("csn-rgb", *range(8))
    promotion = challenge("r2plus1d-rgb", classes="AC")
    assert not promotion.promoted
    assert "tested on other classes or clips; remove the alias" in promotion.verdict
    assert champion(store).version == 1


def test_an_absent_server_is_an_error_that_says_what_to_do(
    trained: Callable[..., tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="promote again once it is back"):
        promote(*trained(), answers(), tracking_uri="http://127.0.0.1:9", test=TEST)


def test_leads_are_by_group_over_the_clips_that_both_judged() -> None:
    fewer = answers(range(2), groups=3)
    assert leads_by_group(answers(), fewer).tolist() == [CLIPS, CLIPS, 0]
    assert leads_by_group(fewer, answers()).tolist() == [-CLIPS, -CLIPS, 0]


def test_the_challenger_is_the_best_on_validation_whatever_it_does_on_test(
    tmp_path: Path, trained: Callable[..., tuple[Path, Path]], store: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    for name, validation, right in (("csn-rgb", 0.8, False), ("r2plus1d-rgb", 0.7, True)):
        _, evaluated = trained(name, validation_accuracy=validation, validation_loss=1.0)
        write_predictions(evaluated / "predictions.parquet", predictions(right=right))
    models = dict.fromkeys(["r2plus1d-rgb", "csn-rgb"])
    run(load_params(ROOT / "params.yaml").model_copy(update={"models": models}))
    written = json.loads(Path("results/promotion.json").read_text())
    assert written["verdict"] == "csn-rgb (version 1) is the first champion"
    assert [version.version for version in versions(store)] == [1]


def predictions(*, right: bool) -> Predictions:
    """Of two clips of class A, all right or all wrong."""
    clips, groups = np.array(["A/1", "A/2"]), np.array(["g1", "g2"])
    probabilities = np.array([[right, not right]] * 2, np.float32)
    return Predictions(("A", "B"), clips, groups, np.zeros(2, np.int64), probabilities)
