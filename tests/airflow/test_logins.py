"""Who may log in to Airflow, by name, role and password."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path):
    """airflow/logins.py on a file of its own."""
    environment = os.environ | {"AIRFLOW_LOGINS": str(tmp_path / "logins/logins.json")}

    def run(*arguments, password="", code=None):
        command = [sys.executable, *(["-c", code] if code else ["logins.py"]), *arguments]
        return subprocess.run(
            command,
            cwd=ROOT / "airflow",
            env=environment,
            input=password,
            capture_output=True,
            text=True,
        )

    run.file = Path(environment["AIRFLOW_LOGINS"])
    return run


def role(run, name, password):
    """What a login gives."""
    code = "import sys, logins; print(logins.authenticate(logins.logins_file(), *sys.argv[1:]))"
    return run(name, password, code=code).stdout.strip()


def test_a_login_needs_its_own_password(run):
    run("set", "anna", "viewer", password=PASSWORD)
    run("set", "ben", "admin", password="another long password")
    assert role(run, "anna", PASSWORD) == "viewer"
    for name, password in [
        ("anna", "another long password"),
        ("anna", ""),
        ("anna", PASSWORD + " "),
        ("carl", PASSWORD),
        ("", ""),
    ]:
        assert role(run, name, password) == "None"


def test_passwords_are_hashed_each_with_a_salt_and_the_file_is_its_owner_s(run):
    for name in ("anna", "ben"):
        run("set", name, "user", password=PASSWORD)
    text = run.file.read_text()
    assert PASSWORD not in text
    assert len(set(text.split('"hash": "')[1:])) == 2
    assert run.file.stat().st_mode & 0o077 == 0


def test_a_password_that_is_made_is_printed_once_and_works(run):
    printed = run("set", "anna", "viewer").stdout.strip()
    assert len(printed) >= 12
    assert role(run, "anna", printed) == "viewer"


@pytest.mark.parametrize(
    ("arguments", "password", "message"),
    [
        (("set", "anna", "root"), PASSWORD, "the roles are viewer, user, op, admin"),
        (("set", "../anna", "user"), PASSWORD, "cannot name a login"),
        (("set", "anna", "user"), "admin", "at least 12 are needed"),
        (("remove", "anna"), "", "there is no login 'anna'"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(run, arguments, password, message):
    done = run(*arguments, password=password)
    assert done.returncode == 1
    assert message in done.stderr
    assert run("list").stdout == ""


def test_a_login_that_was_removed_is_none(run):
    run("set", "anna", "user", password=PASSWORD)
    assert run("list").stdout == "anna user\n"
    run("remove", "anna")
    assert role(run, "anna", PASSWORD) == "None"
