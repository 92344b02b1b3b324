"""What DVC itself says of each training after a comment was added to a file."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MODELS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["models"]
OTHER_ROOMS = ["sources", "report", "evaluation", "tracking", "orchestration", "style", "commands"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A copy of the project of which DVC knows all trainings as done; the outputs are made up."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "pipeline", root / "pipeline")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, root)
    outputs = [f"data/train/{model}" for model in MODELS]
    names = [f"{folder}/{name}" for folder in outputs for name in ("model.keras", "history.csv")]
    names += [f"{folder}/record.json" for folder in outputs]
    for name in (*names, "data/extract/tfrecord/shard", "data/subset/catalogue.parquet"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "commit", "--force", "--quiet", "train")
    return root


def dvc(root: Path, *arguments: str) -> str:
    command = ["dvc", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


def status_with_comments(root: Path, pattern: str) -> str:
    """`dvc status` of all trainings while each file of `pattern` ends in a new comment."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(root.glob(pattern))}
    assert files
    try:
        for path, text in files.items():
            path.write_text(f"{text}# a comment\n", encoding="utf-8")
        status = dvc(root, "status", "train")
    finally:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    print(f"{pattern}:\n{status}")  # noqa: T201 - shown by pytest -s
    return status


@pytest.mark.parametrize("room", OTHER_ROOMS)
def test_comments_in_a_room_that_training_does_not_use_leave_it_up_to_date(trained, room):
    assert "up to date" in status_with_comments(trained, f"pipeline/{room}/**/*.py")


@pytest.mark.parametrize("file", ["training/fit.py", "models/layers.py", "shards/loader.py"])
def test_a_comment_in_code_that_training_uses_makes_every_model_stale(trained, file):
    status = status_with_comments(trained, f"pipeline/{file}")
    assert [model for model in MODELS if f"train@{model}:" in status] == list(MODELS)
