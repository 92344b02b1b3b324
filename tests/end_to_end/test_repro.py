"""The real `dvc repro` on a tiny sample: what runs, what does not, what comes out."""

import csv
import json
import os
import signal
import subprocess
import time

import pytest

STAGES = [
    "snapshot",
    "download",
    "subset",
    "extract",
    "explore",
    "train@vgg_lstm-rgb",
    "train@vgg_lstm-flow",
    "evaluate@vgg_lstm-rgb",
    "evaluate@vgg_lstm-flow",
    "export@vgg_lstm-rgb",
    "export@vgg_lstm-flow",
    "features",
    "style@brush-fast",
    "style@brush-cyclegan",
    "gallery",
    "compare",
]


@pytest.fixture(scope="module")
def first_run(project):
    """The stages that the first `dvc repro` ran."""
    return project.repro()


def test_the_first_run_runs_every_stage_once(first_run):
    assert sorted(first_run) == sorted(STAGES)


def test_the_comparison_has_a_row_a_model_and_one_for_their_fusion(project, first_run):
    rows = json.loads((project.folder / "results/comparison.json").read_text())
    assert [(row["architecture"], row["stream"]) for row in rows] == [
        ("vgg_lstm", "rgb"),
        ("vgg_lstm", "flow"),
        ("vgg_lstm", "rgb+flow"),
    ]
    for row in rows:
        low, high = row["video_accuracy_ci95"]
        assert 0 <= low <= row["video_accuracy"] <= high <= 1
        assert row["test_clips"] == 2 * 7 * 2
        assert row["test_groups"] == 2 * 7


def test_models_are_evaluated_under_controls_and_as_candidates(project, first_run):
    rows = json.loads((project.folder / "results/comparison.json").read_text())
    for row in rows:
        for control in ("ordered", "still", "shuffled"):
            assert 0 <= row[f"{control}_accuracy"] <= 1
    summary = json.loads((project.folder / "results/summary.json").read_text())
    assert len(summary["candidates"]) == len(summary["paired"]) == 3


def test_the_report_has_differences_between_candidates_and_single_clips(project, first_run):
    report = (project.folder / "results/report.html").read_text()
    for heading in (
        "Differences between candidates",
        "Use of time",
        "Most misclassified",
        "Activation maps",
    ):
        assert f"<h2>{heading}</h2>" in report


def test_a_second_run_runs_snapshot_alone(project, first_run):
    assert project.repro() == ["snapshot"]


def test_a_param_reruns_what_depends_on_it_and_going_back_trains_nothing(project, first_run):
    models = project.params()["models"]
    project.set(models=models | {"vgg_lstm-rgb": models["vgg_lstm-rgb"] | {"seed": 1}})
    assert sorted(project.repro()) == [
        "compare",
        "evaluate@vgg_lstm-rgb",
        "export@vgg_lstm-rgb",
        "features",
        "gallery",
        "snapshot",
        "style@brush-cyclegan",
        "style@brush-fast",
        "train@vgg_lstm-rgb",
    ]
    project.set(models=models)
    # DVC keeps no run-cache of compare, whose results belong to git.
    assert project.repro() == ["snapshot", "compare"]
    assert json.loads((project.folder / "results/comparison.json").read_text())[0]["seed"] == 0


def test_dvc_shows_metrics_params_and_plots(project, first_run):
    assert "video_accuracy" in project.run("dvc", "metrics", "show").stdout
    assert "evaluate" in project.run("dvc", "params", "diff", "--all").stdout
    assert "file://" in project.run("dvc", "plots", "show").stdout


def test_a_training_killed_three_times_ends_as_an_unbroken_one(project, first_run):
    # Many epochs: a busy machine may notice a checkpoint some epochs late.
    project.set(train={"max_steps": 640})
    history = project.folder / "data/train/vgg_lstm-rgb/history.csv"
    train = ("python", "-m", "pipeline", "train", "vgg_lstm-rgb")
    project.run(*train)
    unbroken = without_seconds(history)
    history.unlink()
    for _ in range(3):
        kill_after_a_checkpoint(project, *train)
    assert not history.exists()
    assert "training resumes after epoch" in project.run(*train).stderr
    assert without_seconds(history) == unbroken
    assert not list((project.folder / ".state/train").iterdir())


def without_seconds(history):
    with history.open(newline="") as file:
        return [{**row, "seconds": None} for row in csv.DictReader(file)]


def kill_after_a_checkpoint(project, *command):
    """Start the command, and kill -9 it as soon as it has written one more checkpoint."""
    environment = project.environment
    started = time.time()
    with subprocess.Popen(
        command, cwd=project.folder, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not checkpoints_since(project, started):
            time.sleep(0.02)
        assert process.poll() is None, "the training ended before it could be killed"
        os.kill(process.pid, signal.SIGKILL)


def checkpoints_since(project, started):
    states = (project.folder / ".state/train").glob("*/checkpoint.npz")
    return [path for path in states if path.stat().st_mtime > started]


def test_a_model_that_params_do_not_list_is_an_error_that_lists_those_there_are(project, first_run):
    done = project.run("python", "-m", "pipeline", "train", "resnet", check=False)
    assert done.returncode == 1
    assert "models has no 'resnet'; params.yaml lists vgg_lstm-rgb" in done.stderr
    assert "Traceback" not in done.stderr
