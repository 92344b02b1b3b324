"""docs/architecture.md's walk "Add an architecture", followed to the letter, and what follows it.

The new architecture's row is the only one: no style needs it, and there are no styles at first.
"""

import json
import re

import pytest
import yaml

from tests.end_to_end.conftest import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def walked(project):
    """The project after the walk: with the page's module and row, and its params."""
    section = PAGE.partition("## Add an architecture")[2].partition("\n## ")[0]
    module, row, model = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    (project.folder / "pipeline/models/toy.py").write_text(module)
    table = project.folder / "pipeline/models/architectures.py"
    text = table.read_text()
    text = text.replace("ARCHITECTURES = {\n", f"ARCHITECTURES = {{\n{row}")
    table.write_text(text.replace("resnet_lstm, vgg_lstm  #", "resnet_lstm, toy, vgg_lstm  #"))
    project.run("python", "-m", "pipeline", "dependencies")
    project.set(models=yaml.safe_load(model), styles={})
    return project


@pytest.fixture(scope="module")
def first_run(walked):
    """The stages that the first `dvc repro` ran."""
    return walked.repro()


def test_a_fifth_architecture_takes_two_files(walked):
    changed = walked.run("git", "status", "--porcelain", "-uall", "pipeline", "tests").stdout
    assert {line.split()[1] for line in changed.splitlines()} == {
        "pipeline/models/toy.py",
        "pipeline/models/architectures.py",
    }
    train = yaml.safe_load((walked.folder / "dvc.yaml").read_text())["stages"]["train"]["do"]
    assert {"pipeline/models", "pipeline/models/toy.py"} & set(train["deps"])


def test_it_is_compared_though_no_style_needs_it_and_there_are_no_styles(walked, first_run):
    assert {"train@toy-rgb", "gallery"} <= set(first_run)
    rows = json.loads((walked.folder / "results/comparison.json").read_text())
    assert [row["architecture"] for row in rows] == ["toy"]
    assert "| toy |" in (walked.folder / "results/comparison.md").read_text()
    assert "Style transfer" not in report(walked)


def test_a_style_is_trained_without_the_network_that_styles_use_otherwise(walked, first_run):
    style = {"method": "fast", "photos": "clips", "style_images": "brush"}
    walked.set(styles={"one": style})
    assert walked.repro() == ["snapshot", "style@one", "gallery", "compare"]
    assert "feed-forward network (one)" in report(walked)


def report(project):
    return (project.folder / "results/report.html").read_text(encoding="utf-8")
