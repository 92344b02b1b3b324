"""dependencies: let each stage of dvc.yaml depend on exactly the code that it imports."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from pipeline.files import code_files, written_aside

if TYPE_CHECKING:
    from pipeline.params import Params

log = logging.getLogger(__name__)

DVC = Path("dvc.yaml")
ROOT = Path(__file__).parents[2]


def run(params: Params) -> None:
    """Rewrite the code in the lists `deps` of dvc.yaml; all else stays as it is written."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(DVC)
    for name, stage in document["stages"].items():
        deps = stage.get("do", stage)["deps"]
        data = [dep for dep in deps if not str(dep).startswith("pipeline/")]
        deps[:] = [*data, *code_of(name)]
        deps.fa.set_block_style()
    with written_aside(DVC) as aside:
        yaml.dump(document, aside)
    log.info("wrote %s", DVC)


def code_of(stage: str) -> list[str]:
    """What the stage of this name imports: a whole room by its folder, else files."""
    needed = set(code_files(f"pipeline.stages.{stage}"))
    rooms = {file.parent for file in needed if _modules(file.parent) <= needed}
    files = {file for file in needed if file.parent not in rooms}
    return sorted(str(path.relative_to(ROOT)) for path in (*rooms, *files))


def _modules(room: Path) -> set[Path]:
    return {path for path in room.glob("*.py") if path.name != "__init__.py"}
