"""README tells the truth that can be checked."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from benchmarks import readme

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_committed_json(tmp_path, monkeypatch):
    # As committed: `make repro` has every right to change results in the work tree.
    command = ("git", "archive", "HEAD", "README.md", "results", "benchmarks")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout with a commit")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    committed = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme.with_tables(committed) == committed


def test_its_links_lead_to_files():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in page.read_text(encoding="utf-8").split("](")[1:]:
            link = target.partition(")")[0].partition("#")[0]
            assert "://" in link or (page.parent / link).is_file(), f"{page.name}: {link}"


def test_its_make_targets_exist():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in README.splitlines():
        if line.startswith("make "):
            assert f"\n{line.split()[1]}:" in targets
