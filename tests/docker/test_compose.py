"""The deployed system as it is written down; test_system.py builds and starts it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
IMAGES = {
    "video-classification-services:0.1.0": DOCKER / "Dockerfile",
    "video-classification-worker:0.1.0": DOCKER / "Dockerfile",
    "video-classification-store:0.1.0": DOCKER / "store.Dockerfile",
}
PINNED = "@sha256:[0-9a-f]{64}"
DOCKERFILES = sorted(set(IMAGES.values()))
SCRIPTS = [path for path in DOCKER.iterdir() if os.access(path, os.X_OK) and path.is_file()]


def instructions(path: Path) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile with its arguments."""
    text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def test_the_compose_file_keeps_to_the_schema():
    checker = Path(sys.executable).with_name("check-jsonschema")
    if not checker.exists():
        pytest.skip("check-jsonschema is not installed; `make airflow` installs it")
    command = [checker, "--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_tag_that_names_a_version_and_a_digest_if_it_is_not_ours(name):
    digest = "" if "build" in SERVICES[name] or SERVICES[name]["image"] in IMAGES else PINNED
    assert re.fullmatch(rf"[\w./-]+:\d+\.\d+[\w.-]*{digest}", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_root_and_without_capabilities(name):
    user = SERVICES[name].get("user") or dict(instructions(IMAGES[SERVICES[name]["image"]]))["USER"]
    # A cluster that demands a user other than root accepts no name for one that an image sets.
    assert re.fullmatch("1000(:1000)?", user) or SERVICES[name]["image"] not in IMAGES
    assert not re.match(r"(root|0)\b", user)
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_reaches_the_object_store_if_it_has_its_password(name):
    assert ("objects" in SERVICES[name]["networks"]) == ("store" in SERVICES[name]["secrets"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_stays_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]
    ends = SERVICES[name]["restart"] == "no"
    assert check == {"disable": True} if ends else check["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_alone(name):
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_as_files(name):
    for key in SERVICES[name].get("environment", {}):
        assert not re.search(r"PASSWORD|SECRET|KEY|TOKEN", key) or key.endswith("_FILE")


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_there(name):
    service = SERVICES[name]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    for volume in filter(lambda each: isinstance(each, str), service.get("volumes", [])):
        source = volume.split(":")[0]
        assert (
            (DOCKER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        )
    if IMAGES.get(service["image"]) == DOCKER / "Dockerfile":
        (argument,) = service["command"]
        known = (DOCKER / "start").read_text() + (ROOT / "airflow/service").read_text()
        assert argument in known


def test_each_image_of_ours_is_built_by_one_service():
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert sorted(built) == sorted(IMAGES)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_is_pinned_and_ends_without_root(path):
    found = instructions(path)
    froms = [arguments.partition(" AS ") for name, arguments in found if name == "FROM"]
    (base,) = {image for image, _, _ in froms} - {stage for _, _, stage in froms}
    assert re.search(rf":[\w.-]*\d[\w.-]*{PINNED}$", base)
    names = [name for name, _ in found]
    assert names[-1] == "USER"
    assert "ADD" not in names
    assert "USER" in names
    assert not any(name in ("ENV", "ARG") for name in names), (
        "they stay in the image for all to read"
    )


def test_what_a_dockerfile_copies_is_there():
    copied = [
        arguments for name, arguments in instructions(DOCKER / "Dockerfile") if name == "COPY"
    ]
    assert ".git /checkout" in copied  # and nothing else of the context
    for arguments in set(copied) - {".git /checkout"}:
        assert arguments.startswith("--from=code")
        source = arguments.split()[-2].removeprefix("/code")
        assert (ROOT / source.removeprefix("/")).exists()


def test_packages_are_pinned_and_their_lists_left_out_of_the_image():
    runs = [
        arguments for _, arguments in instructions(DOCKER / "Dockerfile") if "apt-get" in arguments
    ]
    for run in runs:
        packages = re.search(r"--no-install-recommends (.*?) *&&", run)[1].split()
        assert packages
        assert all("=" in package for package in packages)
        assert "rm -rf /var/lib/apt/lists/*" in run


def test_a_worker_has_a_program_that_reads_rar_files():
    text = (DOCKER / "Dockerfile").read_text()
    assert "libarchive-tools" in text.partition("AS worker-base")[2].partition("FROM")[0]


def test_a_worker_reaches_the_users_folders_and_may_write_only_to_the_outbox():
    folders = {
        volume["target"]: volume
        for volume in SERVICES["worker"]["volumes"]
        if isinstance(volume, dict)
    }
    assert set(folders) == {"/project/sources", "/project/inbox", "/project/outbox"}
    writable = [target for target, volume in folders.items() if not volume.get("read_only")]
    assert writable == ["/project/outbox"]
    assert all(volume["bind"] == {"create_host_path": False} for volume in folders.values())


def pinned(path: Path) -> dict[str, str]:
    """The packages of a lock file, and their versions."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_images_install_what_airflow_is_tested_with_but_for_what_s3_asks():
    tested = pinned(ROOT / "requirements-airflow.txt").items()
    others = {name for name, _ in pinned(DOCKER / "requirements.txt").items() - tested}
    s3 = {"aiobotocore", "aioitertools", "boto3", "botocore", "dvc-s3", "jmespath", "s3fs"}
    others -= {"tensorflow", "tensorflow-cpu"}  # the second takes the place of the first
    assert others <= {*s3, "s3transfer", "python-dateutil"}


def test_services_install_what_workers_do_but_not_what_trains():
    services = pinned(DOCKER / "requirements-services.txt")
    assert services.items() <= pinned(DOCKER / "requirements.txt").items()
    assert not {"tensorflow", "tensorflow-cpu", "keras", "av", "dvc"} & services.keys()


def test_workers_have_the_same_tensorflow_with_and_without_cuda():
    cpu, gpu = (pinned(DOCKER / f"requirements{kind}.txt") for kind in ("", "-gpu"))
    assert cpu["tensorflow-cpu"] == gpu["tensorflow"]
    assert "nvidia-cudnn-cu12" in gpu
    assert "nvidia-cudnn-cu12" not in cpu


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_stops_at_an_error_and_is_valid(path):
    lines = path.read_text().splitlines()
    assert lines[0] in ("#!/usr/bin/env bash", "#!/bin/sh")
    assert any(line.startswith("set -eu") for line in lines)
    subprocess.run(["bash", "-n", path], check=True)


def test_secrets_are_made_once_differ_and_are_for_their_owner(tmp_path):
    for _ in range(2):
        subprocess.run([DOCKER / "make-secrets", tmp_path / "secrets"], check=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
        assert set(made) == set(COMPOSE["secrets"])
        (tmp_path / "first").mkdir(exist_ok=True)
        before = tmp_path / "first" / "made"
        if before.exists():
            assert before.read_text() == str(sorted(made.items()))
        before.write_text(str(sorted(made.items())))
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["docker/secrets/postgres", "inbox/a.mp4", "sources/a.zip"])
def test_git_ignores_secrets_and_the_users_files(path):
    ignored = ["git", "check-ignore", "--quiet", path]
    assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 0


def test_a_build_is_given_what_is_committed_without_the_addresses_of_remotes():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] != "#"]
    assert rules[:2] == ["*", "!.git"]
    assert {".git/config*", ".git/FETCH_HEAD", ".git/logs"} <= set(rules)
    assert not any(rule.startswith("!") for rule in rules[2:])


def compose(*files: str) -> dict:
    """What Docker Compose itself makes of files of docker/."""
    program = Path(sys.executable).with_name("docker-compose")
    if not program.exists():
        pytest.skip("docker-compose is not installed: no wheel for this machine")
    named = [part for file in files for part in ("--file", DOCKER / file)]
    done = subprocess.run(
        [program, *named, "config", "--format", "json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_docker_compose_accepts_the_file_and_starts_two_workers():
    assert compose("compose.yaml")["services"]["worker"]["deploy"]["replicas"] == 2


def test_the_gpu_overlay_reserves_a_gpu_for_each_worker_and_changes_nothing_else():
    plain, gpu = compose("compose.yaml"), compose("compose.yaml", "compose.gpu.yaml")
    before, after = plain["services"].pop("worker"), gpu["services"].pop("worker")
    assert gpu == plain
    (device,) = after["deploy"].pop("resources")["reservations"]["devices"]
    assert device == {"capabilities": ["gpu"], "driver": "nvidia", "count": 1}
    assert (after["build"].pop("target"), after.pop("image")) == (
        "worker-gpu",
        "video-classification-worker-gpu:0.1.0",
    )
    del before["build"]["target"], before["image"], before["deploy"]["resources"]
    assert after == before


def test_the_overlay_for_tls_opens_the_proxy_and_no_ui_beside_it(monkeypatch):
    monkeypatch.setenv("SITE", "training.example.org")
    services = compose("compose.yaml", "compose.tls.yaml")["services"]
    ports = {name: each["ports"] for name, each in services.items() if each.get("ports")}
    assert ports.keys() == {"caddy", "metrics"}
    assert {port["target"] for port in ports["caddy"]} == {80, 443, 5000}
    assert [port["host_ip"] for port in ports["metrics"]] == ["127.0.0.1"]
    assert services["mlflow"]["environment"]["SITE"] == "training.example.org"


def test_one_setting_opens_the_ports_to_other_machines(monkeypatch):
    monkeypatch.setenv("BIND", "0.0.0.0")
    services = compose("compose.yaml")["services"]
    open_to = {port["host_ip"] for each in services.values() for port in each.get("ports", [])}
    assert open_to == {"0.0.0.0"}
