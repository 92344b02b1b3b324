"""Save stores and git repository in one tar, or bring them back from it.

python docker/archive.py save FILE
python docker/archive.py load FILE

FILE may be `-`, for stdout and stdin. The places are those of docker/environment: DVC_REMOTE and
MLFLOW_ARTIFACTS (folders or s3://BUCKET), RETRAIN_REPOSITORY. A tar without its last member is cut
off, which `load` says when it gets there; it prints LOADED once all is back.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO

PLACES = {"dvc": "DVC_REMOTE", "mlflow": "MLFLOW_ARTIFACTS"}
BUNDLE, END = "repository.bundle", "end"
LOADED = "all is back"  # docker/backup looks for this, and for END
RUNS = "+refs/heads/retrain/*:refs/heads/retrain/*"  # all that a run adds to a repository


class Folder:
    """A store in a folder. SQLite's databases are copied by SQLite, which others may write to."""

    def __init__(self, path: str) -> None:
        self._root = Path(path)

    def files(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        """Name, size and content of each file; what is still being written is left out."""
        for path in sorted(self._root.rglob("*")):
            if path.is_file() and not path.name.endswith((".part", ".tmp", "-wal", "-shm")):
                with _snapshot(path) as file:
                    yield str(path.relative_to(self._root)), _size(file), file

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write one file, whole or not at all."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.part")
        with aside.open("wb") as file:
            shutil.copyfileobj(content, file)
        aside.replace(path)


class Bucket:
    """A store in the object store at $AWS_ENDPOINT_URL."""

    def __init__(self, name: str) -> None:
        import boto3

        self._client, self._name = boto3.client("s3"), name

    def files(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        """Name, size and content of each object."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        for entry in (entry for page in pages for entry in page.get("Contents", ())):
            found = self._client.get_object(Bucket=self._name, Key=entry["Key"])
            yield entry["Key"], found["ContentLength"], found["Body"]

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write one object."""
        # `read` alone: what a tar in a pipe gives claims to seek, and until Python 3.12 fails then.
        self._client.upload_fileobj(SimpleNamespace(read=content.read), self._name, name)


def save(tar: tarfile.TarFile) -> None:
    """Write the repository first: what its branches name is in the stores by then."""
    command = ["git", "-C", os.environ["RETRAIN_REPOSITORY"], "bundle", "create", "-", "--all"]
    bundle = subprocess.run(command, check=True, capture_output=True).stdout
    _add(tar, BUNDLE, len(bundle), io.BytesIO(bundle))
    for store in PLACES:
        for name, size, content in _store(store).files():
            _add(tar, f"{store}/{name}", size, content)
    _add(tar, END, 0, io.BytesIO())


def load(tar: tarfile.TarFile) -> None:
    """Bring everything back, over what is there."""
    name = ""
    for member in tar:
        name = member.name
        store, _, path = name.partition("/")
        if not member.isfile() or path.startswith("/") or ".." in PurePosixPath(path).parts:
            sys.exit(f"{name} is not a file of a backup; nothing after it was brought back")
        content = tar.extractfile(member) or io.BytesIO()
        if name == BUNDLE:
            _load_repository(content)
        elif name != END:
            _store(store).write(path, content)
    if name != END:
        sys.exit(f"the backup is cut off behind {name}; get a whole one, and load it again")


def _load_repository(bundle: IO[bytes]) -> None:
    repository = Path(os.environ["RETRAIN_REPOSITORY"])
    kept = [RUNS] if (repository / ".git").exists() else ["+refs/*:refs/*"]
    if not repository.exists():
        subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        shutil.copyfileobj(bundle, file)
        file.flush()
        fetch = ["git", "-C", repository, "fetch", "--quiet", "--no-auto-gc", file.name, *kept]
        subprocess.run(fetch, check=True)


def _store(name: str) -> Folder | Bucket:
    place = os.environ.get(PLACES[name]) or f"s3://{name}"
    return Bucket(place[5:]) if place.startswith("s3://") else Folder(place)


@contextmanager
def _snapshot(path: Path) -> Iterator[IO[bytes]]:
    """The file, or a copy of it where it is a database of SQLite."""
    with path.open("rb") as file:
        if not file.read(16).startswith(b"SQLite format 3"):
            file.seek(0)
            yield file
            return
    with tempfile.NamedTemporaryFile() as copy:
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy.name)) as new:
            live.backup(new)
        yield copy.file


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, content)


def main(action: str, name: str) -> None:
    """Save to the file of that name, which then appears whole, or load from it."""
    os.umask(0o077)
    if action == "load":
        with tarfile.open(fileobj=_opened(name, "rb"), mode="r|") as tar:
            load(tar)
        sys.stdout.write(f"{LOADED}\n")
        return
    part = name if name == "-" else f"{name}.part"
    with tarfile.open(fileobj=_opened(part, "wb"), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        save(tar)
    if name != "-":
        Path(part).replace(name)


def _opened(name: str, mode: str) -> IO[bytes]:
    if name != "-":
        return Path(name).open(mode)  # type: ignore[return-value]
    return sys.stdin.buffer if mode == "rb" else sys.stdout.buffer


if __name__ == "__main__":
    main(*sys.argv[1:])
