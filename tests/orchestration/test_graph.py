"""dvc.yaml as a graph: the same stages and edges as DVC's own."""

import re
import subprocess
import sys
from pathlib import Path

from pipeline.orchestration.graph import read_graph

ROOT = Path(__file__).parents[2]


def test_it_has_the_stages_and_edges_of_dvc_dag():
    dvc = [sys.executable, "-m", "dvc", "dag", "--dot"]
    drawn = subprocess.run(dvc, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    edges = set(re.findall(r'"(.+)" -> "(.+)";', drawn))
    graph = read_graph(ROOT)
    assert set(graph) == set(re.findall(r'^"([^"]+)";', drawn, re.MULTILINE))
    assert {(other, stage) for stage, others in graph.items() for other in others} == edges


def test_a_stage_stands_after_all_that_it_depends_on():
    graph = read_graph(ROOT)
    places = {stage: place for place, stage in enumerate(graph)}
    assert all(places[other] < places[stage] for stage in graph for other in graph[stage])


def test_rows_of_foreach_are_stages_of_their_own(tmp_path):
    (tmp_path / "params.yaml").write_text("models: {a: {seed: 0}, b: {seed: 1}}")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  train:\n"
        "    foreach: ${models}\n"
        "    do: {cmd: 'train ${key}', outs: ['train/${key}/model']}\n"
        "  judge:\n"
        "    foreach: ${models}\n"
        "    do: {cmd: 'judge ${key}', deps: ['train/${key}/model'], outs: ['judge/${key}']}\n"
        "  compare: {cmd: compare, deps: [judge], metrics: [table.json: {cache: false}]}\n"
    )
    assert read_graph(tmp_path) == {
        "train@a": (),
        "train@b": (),
        "judge@a": ("train@a",),
        "judge@b": ("train@b",),
        "compare": ("judge@a", "judge@b"),
    }


def test_a_param_in_a_path_is_filled_in(tmp_path):
    (tmp_path / "params.yaml").write_text("paint: {features: train/model}\nnames: {a: 1}")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  train: {cmd: train, outs: [train/model]}\n"
        "  paint: {cmd: paint, deps: ['${paint.features}']}\n"
        "  each: {foreach: '${names}', do: {cmd: 'each ${key}', deps: ['${paint.features}']}}\n"
    )
    assert read_graph(tmp_path) == {"train": (), "paint": ("train",), "each@a": ("train",)}


def test_reading_it_imports_nothing_heavy():
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.orchestration.graph import read_graph\n"
        "read_graph(Path())\n"
        "print([m for m in ('tensorflow', 'dvc', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
