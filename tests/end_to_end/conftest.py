"""A project of its own for each test: the committed code, a tiny sample, nothing made yet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

TINY = {
    "dataset": {"classes": ["Growing", "Shrinking"]},
    "extract": {"fps": 8, "max_frames": 8, "width": 32, "height": 24, "shards": 4},
    "train": {"frames": 4, "crop": 24, "max_steps": 3, "batch_size": 8, "target_accuracy": 1.0},
    "models": {
        "vgg_lstm-rgb": {"architecture": "vgg_lstm", "stream": "rgb", "seed": 0},
        "vgg_lstm-flow": {"architecture": "vgg_lstm", "stream": "flow", "seed": 0},
    },
    "evaluate": {"windows": 2},
    "stylize": {"size": 32, "steps": 2, "steps_per_frame": 1},
    "fast": {"size": 48, "steps": 2},
    "cyclegan": {"size": 32, "steps": 2},
    "gallery": {"clips": 1, "frames": 2, "size": 32},
}


class Project:
    """A copy of this repository with a params.yaml of its own, and the means to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        unwanted = ("MLFLOW", "PYTHONDONTWRITEBYTECODE")
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(unwanted)
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        self.environment = {**environment, "PATH": path, "CUDA_VISIBLE_DEVICES": "-1"}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; a failure shows what it printed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, capture_output=True
        )
        if check and done.returncode:
            pytest.fail(f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def params(self) -> dict:
        """What params.yaml says now."""
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    def set(self, **sections: dict) -> None:
        """Change values of params.yaml; `models` and `styles` are replaced as a whole."""
        params = self.params()
        for section, values in sections.items():
            rows = section in ("models", "styles")
            params[section] = values if rows else {**params[section], **values}
        self.write(params)

    def write(self, params: dict) -> None:
        """Replace params.yaml."""
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def repro(self) -> list[str]:
        """Run `dvc repro` and return the stages whose command it ran."""
        printed = self.run("dvc", "repro").stdout
        lines = [line for line in printed.splitlines() if line.startswith("Running stage")]
        return [line.split("'")[1] for line in lines]


def copy_of_the_repository(folder: Path) -> Project:
    """What git would clone if all were committed, with no data and no history."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    project.run("git", "init", "-q")
    project.run("git", "add", "--all")
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    project.run("git", *author, "commit", "-qm", "what is tested")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project on two drawn classes with two small models."""
    project = copy_of_the_repository(tmp_path_factory.mktemp("project"))
    project.set(**TINY)
    return project
