"""Any rows of models and styles give the table of what is there."""

import json


def test_one_model_that_no_style_needs_and_no_styles_give_a_table(project):
    params = project.params()
    project.set(models={"csn-rgb": params["models"]["vgg_lstm-rgb"] | {"architecture": "csn"}})
    settings = project.params() | {"styles": {}}
    project.write(settings)
    assert "gallery" in project.repro()
    rows = json.loads((project.folder / "results/comparison.json").read_text(encoding="utf-8"))
    assert [row["architecture"] for row in rows] == ["csn"]
    report = (project.folder / "results/report.html").read_text(encoding="utf-8")
    assert "Style transfer" not in report

    style = {"method": "fast", "photos": "clips", "style_images": "brush"}
    project.write(settings | {"styles": {"one": style}})
    assert project.repro() == ["snapshot", "style@one", "gallery", "compare"]
    report = (project.folder / "results/report.html").read_text(encoding="utf-8")
    assert "feed-forward network (one)" in report
