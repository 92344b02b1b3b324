"""A backup of stores and repository, in folders and in buckets."""

import os
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost")


class Place:
    """Stores and a repository below one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "DVC_REMOTE": str(folder / "remote"),
            "MLFLOW_ARTIFACTS": str(folder / "artifacts"),
            "RETRAIN_REPOSITORY": str(folder / "hub"),
        }

    def archive(self, *arguments, **options):
        command = [sys.executable, ROOT / "docker/archive.py", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, **options)

    def contents(self):
        stores = [self.folder / name for name in ("remote", "artifacts")]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for store in stores
            for path in store.rglob("*")
            if path.is_file()
        }

    def branches(self):
        listed = [*GIT, "-C", self.folder / "hub", "for-each-ref"]
        return subprocess.run(listed, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def place(tmp_path):
    """Two stores with a file each, and a repository with the branch of a run."""
    place = Place(tmp_path / "place")
    for name in ("remote/files/md5/ab/cdef", "artifacts/1/ü b.bin"):
        (place.folder / name).parent.mkdir(parents=True)
        (place.folder / name).write_bytes(os.urandom(100_000))
    work = tmp_path / "work"
    for command in (
        ["init", "-q", work],
        ["-C", work, "commit", "-q", "--allow-empty", "-m", "first"],
        ["-C", work, "branch", "retrain/a"],
        ["clone", "-q", "--bare", work, place.folder / "hub"],
    ):
        subprocess.run([*GIT, *command], check=True)
    return place


def test_all_comes_back_to_empty_places(place, tmp_path):
    assert place.archive("save", tmp_path / "files.tar").returncode == 0
    other = Place(tmp_path / "other")
    assert other.archive("load", tmp_path / "files.tar").returncode == 0
    assert other.contents() == place.contents()
    assert other.branches() == place.branches()


def test_it_goes_through_pipes(place, tmp_path):
    tar = place.archive("save", "-", check=True).stdout
    other = Place(tmp_path / "other")
    other.archive("load", "-", input=tar, check=True)
    assert other.contents() == place.contents()


# Objects as files; boto3 asks what it uploads whether it can seek, if it says that it can be asked.
BOTO3 = """
from pathlib import Path

class client:
    def __init__(self, service):
        pass

    def upload_fileobj(self, file, bucket, key):
        getattr(file, "seekable", lambda: False)()
        path = Path(bucket) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read())
"""


def test_buckets_are_filled_from_a_pipe(place, tmp_path):
    """With the real object store: tests/docker/test_system.py."""
    tar = place.archive("save", "-", check=True).stdout
    (tmp_path / "boto3.py").write_text(BOTO3)
    other = Place(tmp_path)
    other.environment |= {"DVC_REMOTE": "s3://remote", "MLFLOW_ARTIFACTS": "s3://artifacts"}
    other.environment["PYTHONPATH"] = str(tmp_path)
    other.archive("load", "-", input=tar, check=True, cwd=tmp_path)
    assert other.contents() == place.contents()


def test_a_repository_that_is_there_gets_the_branches_of_runs_back(place, tmp_path):
    place.archive("save", tmp_path / "files.tar", check=True)
    hub = [*GIT, "-C", place.folder / "hub"]
    before = place.branches()
    subprocess.run([*hub, "branch", "-D", "retrain/a"], check=True, capture_output=True)
    place.archive("load", tmp_path / "files.tar", check=True)
    assert place.branches() == before


def test_a_backup_that_was_cut_off_says_so(place, tmp_path):
    place.archive("save", tmp_path / "files.tar", check=True)
    with tarfile.open(tmp_path / "files.tar") as whole, tarfile.open(tmp_path / "cut", "w") as cut:
        for member in whole.getmembers()[:-1]:
            cut.addfile(member, whole.extractfile(member))
    done = place.archive("load", tmp_path / "cut", text=True)
    assert done.returncode == 1
    assert "the backup is cut off behind mlflow/1/ü b.bin" in done.stderr


def test_a_backup_by_a_stranger_writes_nothing_elsewhere(place, tmp_path):
    link = tarfile.TarInfo("dvc/link")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
    names = "dvc/../../evil", f"dvc/{tmp_path}/evil"
    for evil in (*map(tarfile.TarInfo, names), link):
        with tarfile.open(tmp_path / "evil.tar", "w") as tar:
            tar.addfile(evil)
        done = place.archive("load", tmp_path / "evil.tar", text=True)
        assert done.returncode == 1
        assert "is not a file of a backup" in done.stderr
    assert not list(tmp_path.rglob("evil"))


def test_a_database_that_is_written_to_is_saved_whole(place, tmp_path):
    path = place.folder / "artifacts/mlflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (name TEXT)")
        database.execute("INSERT INTO runs VALUES ('champion')")
        database.commit()  # it is still in the write-ahead log
        place.archive("save", tmp_path / "files.tar", check=True)
    other = Place(tmp_path / "other")
    other.archive("load", tmp_path / "files.tar", check=True)
    with closing(sqlite3.connect(tmp_path / "other/artifacts/mlflow.db")) as database:
        assert database.execute("SELECT name FROM runs").fetchall() == [("champion",)]


def test_a_backup_is_for_its_owner_alone_and_appears_whole(place, tmp_path):
    place.archive("save", tmp_path / "files.tar", check=True)
    assert (tmp_path / "files.tar").stat().st_mode & 0o077 == 0
    place.environment["RETRAIN_REPOSITORY"] = str(tmp_path / "nothing")
    before = (tmp_path / "files.tar").read_bytes()
    assert place.archive("save", tmp_path / "files.tar").returncode != 0
    assert (tmp_path / "files.tar").read_bytes() == before
