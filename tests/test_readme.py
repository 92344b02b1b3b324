"""README tells the truth that can be checked."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_committed_json():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "benchmarks" / "readme.py")
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    assert readme.with_tables(README) == README


def test_its_links_lead_to_files():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in page.read_text(encoding="utf-8").split("](")[1:]:
            link = target.partition(")")[0]
            assert "://" in link or (page.parent / link).is_file(), f"{page.name}: {link}"


def test_its_make_targets_exist():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in README.splitlines():
        if line.startswith("make "):
            assert f"\n{line.split()[1]}:" in targets
