"""The deployed system as it is written down; no image was built and no container was started."""

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
    "video-classification-pipeline:0.1.0": DOCKER / "Dockerfile",
    "video-classification-store:0.1.0": DOCKER / "store.Dockerfile",
}
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
def test_an_image_has_a_tag_that_names_a_version(name):
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_root_and_without_capabilities(name):
    user = SERVICES[name].get("user") or dict(instructions(IMAGES[SERVICES[name]["image"]]))["USER"]
    assert not re.match(r"(root|0)\b", user)
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_stays_has_a_health_check(name):
    check = SERVICES[name]["healthcheck"]
    ends = SERVICES[name]["restart"] == "no"
    assert check == {"disable": True} if ends else check["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_alone(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_as_files(name):
    for key in SERVICES[name].get("environment", {}):
        assert not re.search(r"PASSWORD|SECRET|KEY|TOKEN", key) or key.endswith("_FILE")


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_there(name):
    service = SERVICES[name]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (
            (DOCKER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        )
    if service["image"] == "video-classification-pipeline:0.1.0":
        (argument,) = service["command"]
        known = (DOCKER / "start").read_text() + (ROOT / "airflow/service").read_text()
        assert argument in known


def test_each_image_of_ours_is_built_by_one_service():
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert sorted(built) == sorted(IMAGES)


@pytest.mark.parametrize("path", IMAGES.values(), ids=lambda path: path.name)
def test_a_dockerfile_is_pinned_and_ends_without_root(path):
    found = instructions(path)
    assert found[0][0] == "FROM"
    assert re.search(r":[\w.-]*\d[\w.-]*$", found[0][1])
    names = [name for name, _ in found]
    assert "ADD" not in names
    assert "USER" in names
    assert not any(name in ("ENV", "ARG") for name in names), (
        "they stay in the image for all to read"
    )


@pytest.mark.parametrize("path", IMAGES.values(), ids=lambda path: path.name)
def test_what_a_dockerfile_copies_is_there(path):
    for name, arguments in instructions(path):
        if name == "COPY":
            *sources, _ = [each for each in arguments.split() if not each.startswith("--")]
            assert all((ROOT / source).exists() for source in sources)


def test_packages_are_pinned_and_their_lists_left_out_of_the_image():
    (run,) = [
        arguments for _, arguments in instructions(DOCKER / "Dockerfile") if "apt-get" in arguments
    ]
    packages = re.search(r"--no-install-recommends (.*?) *&&", run)[1].split()
    assert packages
    assert all("=" in package for package in packages)
    assert "rm -rf /var/lib/apt/lists/*" in run


def test_images_install_what_airflow_is_tested_with_but_for_what_s3_asks():
    def pinned(path):
        return set(re.findall(r"^[\w.-]+==\S+", path.read_text(), re.MULTILINE))

    changed = pinned(ROOT / "requirements-airflow.txt") & pinned(DOCKER / "requirements.txt")
    others = pinned(DOCKER / "requirements.txt") - changed
    s3 = {"aiobotocore", "aioitertools", "boto3", "botocore", "dvc-s3", "jmespath", "s3fs"}
    assert {each.split("==")[0] for each in others} <= {*s3, "s3transfer", "python-dateutil"}


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


def test_git_and_the_images_leave_secrets_out():
    ignored = ["git", "check-ignore", "--quiet", "docker/secrets/postgres"]
    assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 0
    assert "/docker/secrets" in (ROOT / ".dockerignore").read_text().splitlines()
