"""The deployed system, built and started: docker/compose.yaml as it is, on a bridge of its own."""

import fcntl
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.docker import engine
from tests.docker.system import RUN, START, System, wait_until
from tests.end_to_end.conftest import TINY, copy_of_the_repository

SIZES = {"services": 1.5e9, "worker": 3.3e9}  # bytes, at most
MODEL = "vgg_lstm-rgb"
REMOTE = "https://someone:password@somewhere.invalid/pipeline.git"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small sample, and beside it what an image must not hold."""
    if "IMAGES" not in os.environ:
        pytest.skip("images take a quarter of an hour to build and to try; IMAGES=1 does it")
    if reason := engine.missing():
        pytest.skip(f"images cannot be built here: {reason}")
    folder = tmp_path_factory.mktemp("deployed") / "project"
    folder.mkdir()
    project = copy_of_the_repository(folder)
    # Style networks and a second model add nothing to what several machines have to show.
    train = {**TINY["train"], "max_steps": 200}  # for longer than it takes to save a checkpoint
    models = {MODEL: TINY["models"][MODEL]}
    project.set(**TINY | {"styles": {}, "train": train, "models": models})
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
    for name, group in product(TINY["dataset"]["classes"], range(1, 15)):
        path = project.folder / f"sources/clips/{name}/v_{name}_g{group:02}_c01.avi"
        film(path, speed=len(name))
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


def test_the_object_store_is_open_to_those_alone_that_have_its_password(system):
    worker, redis = (next(iter(system.containers(name))) for name in ("worker", "redis"))
    ask = "import socket; print(socket.gethostbyname('store'))"
    address = system.inside(worker, "python", "-c", ask).strip()
    code = """
import socket, sys
for port in (8080, 8888, 9000, 9333, 19000):
    with socket.socket() as client:
        client.settimeout(2)
        if not client.connect_ex((sys.argv[1], port)):
            print(port)
"""
    ports = [system.inside(name, "python", "-c", code, address) for name in (worker, redis)]
    assert [each.split() for each in ports] == [["9000", "19000"], []]


def restart_database(system):
    """PostgreSQL is restarted"""
    (name,) = system.containers("postgres")
    system.box.run("podman", "restart", name)


def empty_queue(system):
    """Redis is restarted, and has lost all it held"""
    (name,) = system.containers("redis")
    system.inside(name, "sh", "-c", "REDISCLI_AUTH=$(cat /run/secrets/redis) redis-cli FLUSHALL")
    system.box.run("podman", "restart", name)


def kill_worker(system):
    """a worker is killed while it trains"""
    training = []

    def checkpoint():
        training[:] = filter(system.trains, system.containers("worker"))
        saved = "ls -d .state/train/*/checkpoint.npz 2>/dev/null || true"
        return training and system.inside(training[0], "sh", "-c", saved)

    wait_until(checkpoint, "a checkpoint of the training", START)
    system.kill(training[0])


def lose_store(system):
    """the object store is away for a minute"""
    system.away("store", 60)


def kill_scheduler(system):
    """the scheduler is killed"""
    (name,) = system.containers("scheduler")
    system.kill(name)


def lose_mlflow(system):
    """MLflow is away for half a minute"""
    system.away("mlflow", 30)


# What following a run has printed before the fault, and prints once more when work goes on.
FAULTS = [
    ("success      make_tree", restart_database, "success "),
    ("success      download", empty_queue, "success "),
    ("running      train@", kill_worker, "up_for_retry train@"),
    ("success      train@", lose_store, "success "),
    ("success      evaluate@", kill_scheduler, "success "),
    ("running      promote", lose_mlflow, "success      promote"),
]


@pytest.fixture(scope="module")
def retrained(system):
    """What following a run printed during which one part after the other failed."""
    following = system.trigger("retrain", {"dataset.source": "sources/clips"})
    start = time.monotonic()

    def wait_for(line, count):
        def there():
            return system.printed("retrain").count(line) >= count or following.poll() is not None

        wait_until(there, f"{count} times {line!r} in {system.logs}/retrain.log", RUN)
        return time.monotonic() - start

    for before, fault, after in FAULTS:
        began = wait_for(before, 1)
        if following.poll() is not None:
            break
        count = system.printed("retrain").count(after)
        fault(system)
        over = wait_for(after, count + 1)
        print(f"{began:4.0f} s: {fault.__doc__}; {over - began:.0f} s")  # noqa: T201
    following.wait(RUN)
    print(f"{time.monotonic() - start:4.0f} s: the end")  # noqa: T201
    return system.printed("retrain")


def test_a_retraining_is_green_though_one_part_after_the_other_failed(retrained):
    assert retrained.splitlines()[-1] == "the run's state: success"
    assert "up_for_retry train@" in retrained


def test_the_training_that_was_killed_resumed_from_its_checkpoint(system, retrained):
    name = next(iter(system.containers("worker")))
    resumed = ("grep", "-rhE", "training resumes after epoch [1-9]", ".airflow/logs")
    assert system.inside(name, *resumed)


def test_all_services_are_healthy_after_the_faults(system, retrained):
    names = [name for name in system.containers() if "migrate" not in name]

    def healthy():
        with ThreadPoolExecutor(2) as executor:
            return all(executor.map(system.healthy, names))

    wait_until(healthy, "healthy services", START)


def test_the_results_of_all_workers_are_on_the_runs_branch(system, retrained):
    name = next(iter(system.containers("worker")))
    hub = ("git", "-C", "/runs/pipeline.git")
    (branch,) = system.inside(name, *hub, "branch", "--list", "retrain/*").split()
    rows = json.loads(system.inside(name, *hub, "show", f"{branch}:results/comparison.json"))
    assert [f"{row['architecture']}-{row['stream']}" for row in rows] == [MODEL]


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


def contents(system):
    """What must not be lost: objects, champion, metrics, branches."""
    code = """
import json, subprocess, boto3, mlflow
client, store = mlflow.MlflowClient(), boto3.client("s3")
experiments = [each.experiment_id for each in client.search_experiments()]
listed = [store.list_objects_v2(Bucket=bucket) for bucket in ("dvc", "mlflow")]
refs = ["git", "-C", "/runs/pipeline.git", "for-each-ref"]
print(json.dumps({
    "objects": [[each["Key"], each["Size"]] for page in listed for each in page["Contents"]],
    "champion": client.get_model_version_by_alias("video-classification", "champion").version,
    "metrics": [[run.info.run_id, run.data.metrics] for run in client.search_runs(experiments)],
    "branches": subprocess.run(refs, capture_output=True, text=True, check=True).stdout,
}))
"""
    name = next(iter(system.containers("worker")))
    environment = ("bash", "-c", '. docker/environment && python -c "$0"', code)
    return json.loads(system.inside(name, *environment))


def test_a_backup_brings_back_what_was_lost_with_all_volumes(system, retrained):
    before = contents(system)
    system.backup("save")
    system.box.run(*system.compose, "down", "--volumes", "--timeout", "5")
    system.backup("load")
    assert contents(system) == before
