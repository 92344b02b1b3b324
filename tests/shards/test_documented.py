"""What docs/formats.md shows works as it stands."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.shards.schema import Record

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [0, 1])
def test_the_page_s_python_runs(number, shards, tmp_path, monkeypatch, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "extract").symlink_to(shards / "placed")
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[number]
    exec(compile(example, "docs/formats.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_page_names_every_column():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [f.name for f in fields(Record)]
