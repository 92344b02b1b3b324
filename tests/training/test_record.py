import os
import subprocess

from pipeline.training.record import circumstances, write_history


def test_history_has_one_row_per_epoch_counted_from_1(tmp_path):
    write_history(
        tmp_path / "history.csv", [{"loss": 0.5, "seconds": 1.25}, {"loss": 0.25, "seconds": 2}]
    )
    assert (tmp_path / "history.csv").read_text() == "epoch,loss,seconds\n1,0.5,1.25\n2,0.25,2\n"


def test_circumstances_name_the_commit_the_precision_and_the_threads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert circumstances(3)["git_revision"] == ""
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = circumstances(3)
    assert (found["git_revision"], found["threads"], found["precision"]) == (head, 3, "float32")
    assert circumstances(None)["threads"] == len(os.sched_getaffinity(0))


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert circumstances(1)["git_revision"] == ""
