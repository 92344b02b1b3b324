"""docs/architecture.md's walk "Add an architecture", followed to the letter."""

import json
import re

import yaml

from tests.end_to_end.conftest import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_a_fifth_architecture_takes_two_files_and_is_compared(project):
    section = PAGE.partition("## Add an architecture")[2].partition("\n## ")[0]
    module, row, model = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    (project.folder / "pipeline/models/toy.py").write_text(module)
    table = project.folder / "pipeline/models/architectures.py"
    text = table.read_text()
    text = text.replace("ARCHITECTURES = {\n", f"ARCHITECTURES = {{\n{row}")
    table.write_text(text.replace("resnet_lstm, vgg_lstm  #", "resnet_lstm, toy, vgg_lstm  #"))
    project.run("python", "-m", "pipeline", "dependencies")
    changed = project.run("git", "status", "--porcelain", "-uall", "pipeline", "tests").stdout
    assert {line.split()[1] for line in changed.splitlines()} == {
        "pipeline/models/toy.py",
        "pipeline/models/architectures.py",
    }
    train = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"]["train"]["do"]
    assert {"pipeline/models", "pipeline/models/toy.py"} & set(train["deps"])

    project.set(models=yaml.safe_load(model), styles={})
    assert "train@toy-rgb" in project.repro()
    rows = json.loads((project.folder / "results/comparison.json").read_text())
    assert [row["architecture"] for row in rows] == ["toy"]
    assert "| toy |" in (project.folder / "results/comparison.md").read_text()
