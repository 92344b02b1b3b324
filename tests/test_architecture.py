"""The tree keeps its promises: who may import whom, and what each DVC stage depends on."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
import yaml

from pipeline.commands.dependencies import code_of
from pipeline.files import code_files

ROOT = Path(__file__).parents[1]
ORDER = [
    "__main__",
    "orchestration",
    "stages",
    "commands",
    "report",
    "style",
    "inference",
    "evaluation",
    "training",
    "tracking",
    "models",
    "shards",
    "sources",
    "dataset",
    "video",
    "params",
    "files",
    "paths",
    "errors",
]

TABLE = "pipeline.models.architectures"  # imports nothing, and params.yaml is validated against it


def imported(path: Path) -> set[str]:
    """The modules of `pipeline` that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return {name for name in names if name.startswith("pipeline.")}


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline").rglob("*.py")), ids=str)
def test_a_package_imports_only_what_stands_below_it(path):
    own = path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    names = imported(path)
    if own == "params":
        names = {name for name in names if not name.startswith(TABLE)}
    for other in packages(names) - {own}:
        assert ORDER.index(other) > ORDER.index(own), f"{path} imports pipeline.{other}"


def test_no_module_imports_itself_through_others():
    graph = grimp.build_graph("pipeline", cache_dir=None)
    modules = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(modules).prepare()  # raises CycleError, which names the modules


def stages() -> dict[str, dict]:
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: stage.get("do", stage) for name, stage in written.items()}


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_exactly_the_code_that_it_imports(name):
    listed = [dep for dep in stages()[name]["deps"] if dep.startswith("pipeline/")]
    assert listed == code_of(name), "run `python -m pipeline dependencies`"


@pytest.mark.parametrize(
    "room",
    ["sources", "report", "evaluation", "tracking", "orchestration", "style", "commands"],
)
def test_a_comment_in_this_room_retrains_nothing(room):
    assert not [dep for dep in code_of("train") if dep.startswith(f"pipeline/{room}")]


@pytest.mark.parametrize(
    "file", ["training/fit.py", "models/layers.py", "models/csn.py", "shards/loader.py"]
)
def test_a_comment_in_this_file_retrains_every_model(file):
    assert ROOT / "pipeline" / file in code_files("pipeline.stages.train")


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline").rglob("*.py")), ids=str)
def test_progress_is_shown_by_the_one_helper(path):
    assert "\nfrom tqdm import" not in path.read_text(encoding="utf-8"), "use files.progress_bar"


@pytest.mark.parametrize("name", stages())
def test_settings_of_tensorflow_that_change_results_count_for_every_stage(name):
    assert ROOT / "pipeline" / "__init__.py" in code_files(f"pipeline.stages.{name}")


@pytest.mark.parametrize("library", ["airflow", "mlflow", "docker"])
def test_no_folder_hides_a_library_of_its_name(library):
    assert not (ROOT / library / "__init__.py").exists()


def test_mlflow_is_the_library_when_imported_from_the_root():
    code = "import importlib.util as u; print(u.find_spec('mlflow').origin)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "site-packages" in done.stdout


def test_the_command_line_lists_its_stages_without_heavy_imports():
    code = (
        "import sys, pipeline.__main__, pipeline.stages.snapshot\n"
        "print([m for m in ('tensorflow', 'keras', 'mlflow', 'cv2', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


PATH = re.compile(r"`((?:pipeline|tests|docs|dags|airflow|mlflow|docker|benchmarks)/[\w./-]*)`")


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_path_that_the_map_names_exists(page):
    named = PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    new = {"NAME", "toy"}  # of the walks: what a reader adds
    missing = {path for path in named if not new & set(re.split(r"[./_]", path))}
    assert not [path for path in missing if not (ROOT / path).exists()]


def test_the_map_names_every_room_and_every_room_has_tests():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for room in (path for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()):
        assert f"`pipeline/{room.name}/`" in page
        assert (ROOT / "tests" / room.name).is_dir()
