"""The champion: the registered model that a better one must beat by more than chance."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.errors import TrackingError
from pipeline.tracking.runs import upsert
from pipeline.tracking.store import FAILURES

MODEL = "video-classification"
CHAMPION = "champion"
Test = Callable[[np.ndarray], float]  # leads by group → how often chance brings as large a lead
LEVEL = 0.05  # a champion is replaced if chance alone would do it less often
_ANSWERS = "answers.json"
_VERDICT = "promotion.verdict"


@dataclass(frozen=True)
class Answers:
    """What a model answered for each test clip: its group, and whether the model was correct."""

    classes: tuple[str, ...]
    groups: Mapping[str, str]
    correct: Mapping[str, bool]


@dataclass(frozen=True)
class Promotion:
    """Whether a challenger became champion, and why or why not."""

    model: str
    version: str
    promoted: bool
    verdict: str


def promote(
    model_dir: Path, evaluation_dir: Path, answers: Answers, *, tracking_uri: str, test: Test
) -> Promotion:
    """Register the model, once, and let it take the alias if it beats the present champion.

    `test` tells a lead from chance.
    """
    run_id = upsert(model_dir, evaluation_dir, tracking_uri=tracking_uri)
    try:
        if run_id is None:
            raise OSError("it did not take the model's run")
        return _challenge(tracking_uri, model_dir.name, run_id, answers, test)
    except FAILURES as error:
        raise TrackingError(
            f"MLflow at {tracking_uri} failed; promote again once it is back: {error}"
        ) from error


def _challenge(
    tracking_uri: str, model: str, run_id: str, answers: Answers, test: Test
) -> Promotion:
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    challenger = _register(client, run_id, answers)
    promoted, reason = _compare(client, challenger, _champion(client), answers, test)
    verdict = f"{model} (version {challenger.version}) {reason}"
    if promoted:
        client.set_registered_model_alias(MODEL, CHAMPION, challenger.version)
    client.set_model_version_tag(MODEL, challenger.version, _VERDICT, verdict)
    return Promotion(model, str(challenger.version), promoted, verdict)


def leads_by_group(challenger: Answers, champion: Answers) -> np.ndarray:
    """By how many clips the challenger is ahead in each group, of the clips that both have seen.

    Clips of a group are near-duplicates: it is groups that a test may take for independent.
    """
    leads: dict[str, int] = {}
    for clip in challenger.correct.keys() & champion.correct.keys():
        lead = int(challenger.correct[clip]) - int(champion.correct[clip])
        leads[challenger.groups[clip]] = leads.get(challenger.groups[clip], 0) + lead
    return np.array([leads[group] for group in sorted(leads)])


def _register(client: MlflowClient, run_id: str, answers: Answers) -> ModelVersion:
    """The version of the run's model; made if there is none."""
    known = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    if known:
        return known[0]
    # First, so that no version is without them.
    client.log_dict(run_id, _as_json(answers), _ANSWERS)
    try:
        client.create_registered_model(MODEL)
    except MlflowException:
        client.get_registered_model(MODEL)  # there already, or MLflow says what is wrong
    (output,) = client.get_run(run_id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    return client.create_model_version(
        MODEL, model.artifact_location, run_id, model_id=model.model_id
    )


def _champion(client: MlflowClient) -> ModelVersion | None:
    alias = client.get_registered_model(MODEL).aliases.get(CHAMPION)
    return client.get_model_version(MODEL, alias) if alias else None


def _compare(
    client: MlflowClient,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    answers: Answers,
    test: Test,
) -> tuple[bool, str]:
    """Whether the challenger is to be promoted, and what is to be said of it."""
    if champion is None:
        return True, "is the first champion"
    if champion.version == challenger.version:
        return False, "is the champion already"
    other = _answers_of(client, champion)
    shared = answers.correct.keys() & other.correct.keys()
    if answers.classes != other.classes or not shared:
        return False, (
            f"cannot be compared with the champion (version {champion.version}): they were tested "
            f"on other classes or clips; remove the alias {CHAMPION} in MLflow to start over"
        )
    scores = (sum(each.correct[clip] for clip in shared) for each in (answers, other))
    p = test(leads_by_group(answers, other))
    better = p < LEVEL
    return better, (
        f"{'beats' if better else 'does not beat'} the champion (version {champion.version}) by "
        f"more than chance: {' against '.join(map(str, scores))} of {len(shared)} test clips "
        f"correct (p = {p:.3f}, over groups)"
    )


def _as_json(answers: Answers) -> dict[str, object]:
    clips = {clip: [answers.groups[clip], correct] for clip, correct in answers.correct.items()}
    return {"classes": list(answers.classes), "clips": clips}


def _answers_of(client: MlflowClient, version: ModelVersion) -> Answers:
    with TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(str(version.run_id), _ANSWERS, folder))
        document = json.loads(path.read_text(encoding="utf-8"))
    clips = document["clips"]
    return Answers(
        tuple(document["classes"]),
        {clip: group for clip, (group, _) in clips.items()},
        {clip: correct for clip, (_, correct) in clips.items()},
    )
