"""The deployed system, built and started: docker/compose.yaml as it is, on a bridge of its own."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.docker import engine
from tests.docker.system import RUN, System
from tests.end_to_end.conftest import TINY, copy_of_the_repository

SIZES = {"services": 1.5e9, "worker": 3.3e9}  # bytes, at most
REMOTE = "https://someone:password@somewhere.invalid/pipeline.git"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small sample, and beside it what an image must not hold."""
    if "IMAGES" not in os.environ:
        pytest.skip("building images takes ten minutes; IMAGES=1 does")
    if reason := engine.missing():
        pytest.skip(f"images cannot be built here: {reason}")
    folder = tmp_path_factory.mktemp("deployed") / "project"
    folder.mkdir()
    project = copy_of_the_repository(folder)
    project.set(**TINY)
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "tiny")
    project.run("git", "branch", "--move", "main")
    project.run("git", "branch", "elsewhere")
    project.run("git", "remote", "add", "origin", REMOTE)
    for name in ("cache/files/md5/clip", "tmp/lock", "config.local"):
        write(folder / ".dvc" / name, "url = s3://key:password@somewhere")
    for name in ("sources/clip.avi", "inbox/film.avi", ".env", "uncommitted"):
        write(folder / name, "of the user")
    return project


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module")
def images(project):
    """The images of the project, built; other runs of this test wait."""
    engine.FOLDER.mkdir(exist_ok=True)
    with (engine.FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine.build_images(project.folder)
        yield project


@pytest.fixture(scope="module")
def system(images, film):
    project = images
    project.run("docker/make-secrets")
    for name in ("inbox", "sources"):
        shutil.rmtree(project.folder / name)
    for name in ("one", "two"):
        film(project.folder / f"inbox/{name}.avi", frames=4)
    (project.folder / "sources").mkdir()
    cv2.imwrite(str(project.folder / "sources/wave.png"), np.full((32, 32, 3), 90, np.uint8))
    (project.folder / "outbox").mkdir()
    (project.folder / "outbox").chmod(0o777)
    with engine.sandbox(network=True) as box:
        system = System(box, project)
        try:
            system.start()
            yield system
        finally:
            system.stop()


@pytest.mark.parametrize("target", SIZES)
def test_an_image_holds_what_is_committed_and_nothing_of_the_folder(images, target):
    with engine.sandbox(network=False) as box:
        image = f"docker.io/library/video-classification-{target}:0.1.0"
        root = Path(box.run("podman", "image", "mount", image).stdout.strip())
        project = root / "project"
        assert not {".env", "uncommitted"} & set(listed(box, project))
        assert listed(box, project / ".dvc") == [".gitignore", "config"]
        assert listed(box, project / "sources") == listed(box, project / "inbox") == []
        assert "checkout" not in listed(box, root)
        config = box.run("cat", project / ".git/config", project / ".dvc/config").stdout
        assert "somewhere" not in config
        assert listed(box, project / ".git/refs/heads") == ["main"]


def listed(box, folder):
    return box.run("ls", "-A", folder).stdout.split()


def test_images_are_no_larger_than_their_services_need(images):
    with engine.sandbox(network=False) as box:
        for target, most in SIZES.items():
            image = f"docker.io/library/video-classification-{target}:0.1.0"
            (found,) = json.loads(box.run("podman", "image", "inspect", image).stdout)
            print(f"{target}: {found['Size'] / 1e9:.2f} GB")  # noqa: T201 - shown by pytest -s
            assert found["Size"] <= most


def test_all_services_become_healthy_with_two_workers(system):
    assert len(system.containers("worker")) == 2
    assert system.unhealthy() == []


def test_containers_run_as_user_1000_without_capabilities(system):
    for service in ("api-server", "worker", "mlflow", "store"):
        name = next(iter(system.containers(service)))
        status = system.inside(name, "cat", "/proc/1/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split()[0] == "1000"
        assert int(fields["CapEff"], 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"


def test_a_worker_reads_rar_files(system):
    code = "from pipeline.sources.rars import choose_program; print(choose_program('a.rar'))"
    for name in system.containers("worker"):
        assert system.inside(name, "python", "-c", code) == "bsdtar\n"


def test_the_object_store_opens_s3_alone_to_other_containers(system):
    code = """
import socket
def opens(port):
    with socket.socket() as s:
        s.settimeout(5)
        return s.connect_ex(("store", port)) == 0
print([port for port in (8080, 8888, 9000, 9333) if opens(port)])
"""
    name = next(iter(system.containers("worker")))
    assert system.inside(name, "python", "-c", code) == "[9000]\n"


@pytest.fixture(scope="module")
def retrained(system):
    """What following a run printed."""
    system.trigger("retrain", {}).wait(RUN)
    return system.printed("retrain")


def test_a_retraining_of_two_workers_is_green(retrained):
    assert retrained.splitlines()[-1] == "the run's state: success"


def test_the_results_of_all_workers_are_on_the_runs_branch(system, retrained):
    name = next(iter(system.containers("worker")))
    hub = ("git", "-C", "/runs/pipeline.git")
    (branch,) = system.inside(name, *hub, "branch", "--list", "retrain/*").split()
    rows = json.loads(system.inside(name, *hub, "show", f"{branch}:results/comparison.json"))
    assert len(rows) == len(TINY["models"]) + 1  # and the fusion of both


def test_mlflow_has_each_training_once_and_the_champion(system, retrained):
    code = """
import mlflow
client = mlflow.MlflowClient()
experiments = [each.experiment_id for each in client.search_experiments()]
names = [run.info.run_name for run in client.search_runs(experiments)]
assert len(names) == len(set(names)), names
print(client.get_model_version_by_alias("video-classification", "champion").version)
"""
    name = next(iter(system.containers("worker")))
    environment = ("bash", "-c", '. docker/environment && python -c "$0"', code)
    assert system.inside(name, *environment) == "1\n"


def test_videos_of_the_inbox_are_stylized_into_the_outbox(system, retrained):
    form = {"method": "nst", "style": "sources/wave.png", "size": 32}
    system.trigger("stylize", form).wait(RUN)
    assert system.printed("stylize").splitlines()[-1] == "the run's state: success"
    (folder,) = (system.project.folder / "outbox").iterdir()
    rows = json.loads((folder / "manifest.json").read_text())
    assert [row["result"] for row in rows] == ["one.mp4", "two.mp4"]
    assert all((folder / row["result"]).stat().st_size for row in rows)
