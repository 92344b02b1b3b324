"""A checkout has the same bytes everywhere, also with Git for Windows' setting of line ends."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory):
    """Two clones of the last commit: as it is, and with core.autocrlf=true."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy has no git repository")
    folder = tmp_path_factory.mktemp("clones")
    for setting in ("false", "true"):
        clone = ["git", "clone", "-q", "-c", f"core.autocrlf={setting}", ROOT, folder / setting]
        subprocess.run(clone, check=True)
    return folder / "false", folder / "true"


def files(checkout):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=checkout, capture_output=True, check=True
    )
    return [Path(name) for name in listed.stdout.decode().split("\0") if name]


def test_every_file_has_the_same_bytes(checkouts):
    unix, windows = checkouts
    different = [
        path for path in files(unix) if (unix / path).read_bytes() != (windows / path).read_bytes()
    ]
    assert different == []


def test_every_bash_script_is_valid(checkouts):
    _, windows = checkouts
    paths = [windows / path for path in files(windows)]
    scripts = [path for path in paths if path.read_bytes().startswith(b"#!/usr/bin/env bash\n")]
    assert {"serve", "service"} <= {path.name for path in scripts}
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
