"""models and rollback: what the registry holds, and taking a champion back."""

import json
import logging

import pytest

from pipeline.__main__ import main
from pipeline.tracking.promotion import Answers, Challenger, promote
from tests.tracking.conftest import write_bundle


@pytest.fixture
def registry(trained, store, monkeypatch, tmp_path):
    """A first champion without a bundle, a better one with a bundle, and a worse model."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    for name, right, p in (("csn-rgb", 2, 0), ("r2plus1d-rgb", 3, 0), ("vgg_lstm-rgb", 1, 1)):
        train, evaluation = trained(name, video_accuracy=right / 4, clips=f"clips of {name}")
        correct = {f"A/{number}": number < right for number in range(4)}
        answers = Answers(("A", "B"), {clip: clip for clip in correct}, correct)
        bundle = write_bundle(train) if name == "r2plus1d-rgb" else None
        challenger = Challenger(train, evaluation, answers, bundle)
        promote(challenger, tracking_uri=store, test=lambda leads, p=p: p, rematch=None)


def run(name, *options):
    """The command's exit status."""
    return main([name, *options])


def documents(capsys):
    assert run("models", "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_versions_are_listed_with_where_they_stand(registry, capsys):
    assert [each["standing"] for each in documents(capsys)] == [
        "challenger",
        "champion",
        "former champion",
    ]


def test_a_version_tells_what_made_it_and_how_it_did(registry, capsys):
    version = documents(capsys)[1]
    assert version["version"] == 2
    assert version["model"] == "r2plus1d-rgb"
    assert "beats the champion (version 1)" in version["verdict"]
    assert version["made_from"] == {
        "key": "key of r2plus1d-rgb",
        "clips": "clips of r2plus1d-rgb",
        "shards": "d4",
        "git_revision": "0123abc",
    }
    assert version["params"]["learning_rate"] == "0.002"
    assert version["video_accuracy"] == 0.75
    assert version["video_accuracy_ci95"] == pytest.approx([0.70, 0.79])
    assert len(version["bundle"]) == 64
    assert version["forms"] == {"int8": {"video_accuracy": 0.9, "size_bytes": 600_000}}
    assert version["rolled_back"] == ""


def test_people_get_a_table(registry, capsys):
    assert run("models") == 0
    head, newest, champion, oldest = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["version", "model", "standing"]
    assert newest.split()[:3] == ["3", "vgg_lstm-rgb", "challenger"]
    assert "75.0 (70.0–79.0)  int8 90.0" in champion
    assert "former champion" in oldest
    assert "no bundle" in oldest


def test_a_rollback_is_told_and_listed(registry, capsys, caplog):
    caplog.set_level(logging.INFO)
    assert run("rollback") == 0
    assert "version 1 is champion again, in place of version 2" in caplog.text
    standings = [each["standing"] for each in documents(capsys)]
    assert standings == ["challenger", "former champion", "champion"]
    assert documents(capsys)[1]["rolled_back"]
    assert run("models") == 0
    assert "former champion (rolled back)" in capsys.readouterr().out


def test_a_rollback_without_an_earlier_champion_fails(registry, caplog):
    assert run("rollback") == 0
    assert run("rollback") == 1
    assert "none before it" in caplog.text


@pytest.mark.parametrize("command", ["models", "rollback"])
def test_without_a_registry_the_error_says_what_makes_one(command, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert run(command) == 1
    assert "promote` makes one" in caplog.text
    assert not list(tmp_path.iterdir())
