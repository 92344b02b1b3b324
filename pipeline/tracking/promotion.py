"""The champion: the registered model that a better one must beat by more than chance."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.errors import BundleError, PipelineError, TrackingError
from pipeline.tracking.champions import appoint, champion
from pipeline.tracking.lookup import BUNDLE, CHAMPION, MODEL
from pipeline.tracking.origin import log_origin
from pipeline.tracking.runs import logged_model, upsert
from pipeline.tracking.store import FAILURES
from pipeline.tracking.trained import Trained, read_trained

LEVEL = 0.05  # a champion is replaced if chance alone would do it less often
VERDICT = "promotion.verdict"  # tag of a version
_ANSWERS = "answers.json"


@dataclass(frozen=True)
class Answers:
    """What a model answered for each test clip: its group, and whether the model was correct.

    `test_set` is the hash of the clips' contents.
    """

    classes: tuple[str, ...]
    groups: Mapping[str, str]
    correct: Mapping[str, bool]
    test_set: str = ""


@dataclass(frozen=True)
class Match:
    """Two models' answers to the same question: the classes that both know, on the same clips.

    `added` are classes that the challenger knows beside all of the champion's.
    """

    challenger: Answers
    champion: Answers
    added: tuple[str, ...] = ()
    note: str = ""


Test = Callable[[np.ndarray], float]  # leads by group → how often chance brings as large a lead
# The address of a champion that was tested on other classes or clips → how both do on today's.
Rematch = Callable[[str], Match]


@dataclass(frozen=True)
class Promotion:
    """Whether a challenger became champion, and why or why not."""

    model: str
    version: str
    promoted: bool
    verdict: str


@dataclass(frozen=True)
class Challenger:
    """What the stages left of a model: the folders of train, evaluate and export, and answers.

    `origin` are the files that it can be made from again.
    """

    train: Path
    evaluation: Path
    answers: Answers
    bundle: Path | None = None
    origin: Iterable[Path] = ()


def promote(
    challenger: Challenger, *, tracking_uri: str, test: Test, rematch: Rematch
) -> Promotion:
    """Register the model, once, and let it take the alias if it beats the present champion.

    `test` tells a lead from chance; `rematch` is asked where the champion was tested otherwise.
    """
    folders = challenger.train, challenger.evaluation, challenger.bundle
    run_id = upsert(*folders, tracking_uri=tracking_uri)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    try:
        if run_id is None:
            raise OSError("it did not take the model's run")
        version = _register(client, run_id, challenger, read_trained(*folders))
        present = champion(client)
        promoted, reason = _compare(client, version, present, challenger.answers, test, rematch)
        verdict = f"{challenger.train.name} (version {version.version}) {reason}"
        if promoted:
            appoint(client, version)
        client.set_model_version_tag(MODEL, version.version, VERDICT, verdict)
    except FAILURES as error:
        raise TrackingError(
            f"MLflow at {tracking_uri} failed; promote again once it is back: {error}"
        ) from error
    return Promotion(challenger.train.name, str(version.version), promoted, verdict)


def leads_by_group(challenger: Answers, champion: Answers) -> np.ndarray:
    """By how many clips the challenger is ahead in each group, of the clips that both have seen.

    Clips of a group are near-duplicates: it is groups that a test may take for independent.
    """
    leads: dict[str, int] = {}
    for clip in challenger.correct.keys() & champion.correct.keys():
        lead = int(challenger.correct[clip]) - int(champion.correct[clip])
        leads[challenger.groups[clip]] = leads.get(challenger.groups[clip], 0) + lead
    return np.array([leads[group] for group in sorted(leads)])


def _register(
    client: MlflowClient, run_id: str, challenger: Challenger, trained: Trained
) -> ModelVersion:
    """The version of the run's bundle; made if there is none."""
    known = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    for version in known:
        if version.tags.get(BUNDLE, "") == trained.bundle_hash:
            return version
    # First, so that no version is without them.
    client.log_dict(run_id, _as_json(challenger.answers), _ANSWERS)
    log_origin(client, run_id, challenger.origin)
    try:
        client.create_registered_model(MODEL)
    except MlflowException:
        client.get_registered_model(MODEL)  # there already, or MLflow says what is wrong
    model = logged_model(client, client.get_run(run_id), trained.bundle_hash)
    if model is None:
        raise MlflowException(f"the run {run_id} has lost its model")
    tags = {BUNDLE: trained.bundle_hash} if trained.bundle else None
    return client.create_model_version(
        MODEL, model.artifact_location, run_id, model_id=model.model_id, tags=tags
    )


def _compare(
    client: MlflowClient,
    challenger: ModelVersion,
    present: ModelVersion | None,
    answers: Answers,
    test: Test,
    rematch: Rematch,
) -> tuple[bool, str]:
    """Whether the challenger is to be promoted, and what is to be said of it."""
    if present is None:
        return True, "is the first champion"
    if present.version == challenger.version:
        return False, "is the champion already"
    named = f"the champion (version {present.version})"
    if present.run_id == challenger.run_id:
        return True, f"replaces {named}: it is the same network, exported again"
    try:
        match = _match(client, present, answers, rematch)
    except PipelineError as error:
        return False, (
            f"cannot be compared with {named}: {error}; remove the alias {CHAMPION} in MLflow to "
            "start over"
        )
    return _judge(match, named, test)


def _match(
    client: MlflowClient, present: ModelVersion, answers: Answers, rematch: Rematch
) -> Match:
    """The answers that were stored, where both were tested alike, else those of a new test."""
    stored = _answers_of(client, present)
    if (stored.classes, stored.groups, stored.test_set) == (
        answers.classes,
        answers.groups,
        answers.test_set,
    ):
        return Match(answers, stored)
    try:
        return rematch(f"models:/{MODEL}/{present.version}")
    except BundleError:
        # Registered without a bundle: what it answered in its time is all that there is.
        if answers.classes == stored.classes and answers.correct.keys() & stored.correct.keys():
            return Match(answers, stored)
        raise


def _judge(match: Match, named: str, test: Test) -> tuple[bool, str]:
    leads = leads_by_group(match.challenger, match.champion)
    p = test(leads)
    scores = _scores(match)
    if match.added and p >= LEVEL:
        p = test(-leads)
        worse = p < LEVEL
        return not worse, (
            f"knows {', '.join(match.added)} beside all classes of {named}, and on these it is "
            f"{'worse' if worse else 'not worse'} by more than chance: {scores} (p = {p:.3f}, "
            f"over groups){match.note}"
        )
    better = p < LEVEL
    return better, (
        f"{'beats' if better else 'does not beat'} {named} by more than chance: {scores} "
        f"(p = {p:.3f}, over groups){match.note}"
    )


def _scores(match: Match) -> str:
    shared = match.challenger.correct.keys() & match.champion.correct.keys()
    counts = [
        sum(each.correct[clip] for clip in shared) for each in (match.challenger, match.champion)
    ]
    return f"{' against '.join(map(str, counts))} of {len(shared)} test clips correct"


def _as_json(answers: Answers) -> dict[str, object]:
    clips = {clip: [answers.groups[clip], correct] for clip, correct in answers.correct.items()}
    return {"classes": list(answers.classes), "clips": clips, "test_set": answers.test_set}


def _answers_of(client: MlflowClient, version: ModelVersion) -> Answers:
    with TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(str(version.run_id), _ANSWERS, folder))
        document = json.loads(path.read_text(encoding="utf-8"))
    clips = document["clips"]
    return Answers(
        tuple(document["classes"]),
        {clip: group for clip, (group, _) in clips.items()},
        {clip: correct for clip, (_, correct) in clips.items()},
        document.get("test_set", ""),
    )
