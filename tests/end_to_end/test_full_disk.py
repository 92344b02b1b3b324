"""Stages on a disk that is full, and then has room again."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.end_to_end.conftest import TINY, copy_of_the_repository

LEFT = 16 << 10  # bytes


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    mount = ("mount", "-t", "tmpfs", "-o", "size=128m", "none", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a tmpfs")
    yield folder
    subprocess.run(("umount", str(folder)), check=True)


def fill(path):
    """A file that takes all that the disk has, but for LEFT bytes."""
    path.write_bytes(bytes(shutil.disk_usage(path.parent).free - LEFT))


def test_every_stage_says_that_the_disk_is_full_and_then_goes_on(small_disk):
    project = copy_of_the_repository(small_disk)
    project.set(**TINY)
    # On a full disk Python writes half of a .pyc, and then trips over it.
    project.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    filler = small_disk / "filler"
    stage = (sys.executable, "-m", "pipeline")
    project.run(*stage, "snapshot")
    for command in (("download",), ("subset",), ("extract",), ("train", "vgg_lstm-rgb")):
        fill(filler)
        failed = project.run(*stage, *command, check=False)
        assert failed.returncode == 1, f"{command} ended with {failed.returncode}"
        assert re.search("No space left|free space", failed.stderr), failed.stderr
        assert "Traceback" not in failed.stderr, failed.stderr
        filler.unlink()
        project.run(*stage, *command)
    assert (small_disk / "data/train/vgg_lstm-rgb/record.json").is_file()
