"""The DAGs as Airflow loads them: what they promise to whoever runs them."""

import ast
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jinja2
import pytest

from pipeline.dataset.names import path_on_disk, path_text
from pipeline.orchestration.graph import read_graph

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))

pytestmark = pytest.mark.skipif(
    not (Path(sys.executable).parent / "airflow").exists(),
    reason="Airflow is not installed; `make airflow` installs it",
)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Airflow writes its settings into a folder of the test's own."""
    os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def dags(home):
    """Each file's DAG by its id."""
    found = {}
    for path in FILES:
        spec = importlib.util.spec_from_file_location(f"dags_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem] = getattr(module, path.stem)()
    return found


def test_a_file_holds_one_dag_of_its_name(dags):
    assert [dag.dag_id for dag in dags.values()] == [path.stem for path in FILES]


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_a_dag_says_what_it_is_and_ends_some_time(dags, name):
    dag = dags[name]
    assert dag.tags
    assert dag.doc_md
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert dag.dagrun_timeout


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_a_task_has_an_owner_a_docstring_retries_and_a_time_limit(dags, name):
    for task in dags[name].tasks:
        assert task.owner != "airflow"
        assert task.doc_md
        assert task.retries >= 1
        assert task.retry_delay > timedelta(0)
        assert task.execution_timeout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_imports_airflow_sdk_the_graph_and_the_standard_library_alone(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    others = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert others <= {"airflow.sdk", "pipeline.orchestration.graph"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_parsing_imports_nothing_heavy(path, tmp_path):
    code = (
        f"import runpy, sys; runpy.run_path({str(path)!r})\n"
        "heavy = ('tensorflow', 'keras', 'dvc', 'mlflow', 'cv2', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_retrain_has_a_task_for_each_stage_with_the_edges_of_dvc_yaml(dags):
    graph = read_graph(ROOT)
    tasks = {task.task_display_name: task for task in dags["retrain"].tasks}
    names = {task.task_id: name for name, task in tasks.items()}
    assert list(tasks) == ["make_tree", *graph, "promote", "publish"]
    for stage, needs in graph.items():
        above = {names[task_id] for task_id in tasks[stage].upstream_task_ids}
        assert above == (set(needs) or {"make_tree"})


def test_retrain_promotes_after_all_stages_and_publishes_last(dags):
    dag = dags["retrain"]
    assert dag.get_task("promote").upstream_task_ids >= {"compare", "explore"}
    assert dag.get_task("publish").upstream_task_ids == {"promote"}


def test_a_skipped_stage_does_not_skip_what_follows(dags):
    assert {task.trigger_rule for task in dags["retrain"].tasks} == {"none_failed"}


def test_stages_share_the_training_slots(dags):
    stages = dags["retrain"].tasks[1:-2]
    assert {task.pool for task in stages} == {"training"}


def test_stylize_finds_stylizes_in_batches_of_a_bounded_number_and_summarizes(dags):
    tasks = {task.task_id: task for task in dags["stylize"].tasks}
    assert list(tasks) == ["find", "stylize_batch", "summarize"]
    assert tasks["stylize_batch"].is_mapped
    assert tasks["stylize_batch"].upstream_task_ids == {"find"}
    assert tasks["stylize_batch"].pool == "stylizing"
    assert tasks["summarize"].upstream_task_ids == {"stylize_batch"}


def test_stylize_offers_the_methods_of_the_command(dags):
    usage = subprocess.run(
        [sys.executable, "-m", "pipeline", "stylize", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    methods = dags["stylize"].params.get_param("method").schema["enum"]
    assert all(method in usage for method in methods)


def test_stylize_hands_on_any_name_of_a_file_as_it_is(dags):
    """Through Airflow's templates, and the shell."""
    names = [
        "it's.avi",
        "{{ 7 * 7 }} {% raw %}.mp4",
        "$HOME `ls`.mov",
        "\\n.avi",
        "-rf.avi",
        "%41.avi",
        "two\nlines.avi",
        'a "quote".avi',
        "cafe\u0301.avi",
        "caf\u00e9.avi",
        "caf\udce9.avi",
        "映画.mp4",
    ]
    batch = [path_text(Path(name)) for name in names]
    command = dags["stylize"].get_task("stylize_batch").python_callable(batch)
    rendered = jinja2.Environment().from_string(command).render()
    assert [str(path_on_disk(name)) for name in json.loads(shlex.split(rendered)[-1])] == names
