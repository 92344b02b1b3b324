"""dvc.yaml as a graph, for the DAGs: read from YAML alone, since they are parsed all the time."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import getitem
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.files import read_yaml

Graph = dict[str, tuple[str, ...]]


def read_graph(root: Path) -> Graph:
    """The stages of `root`/dvc.yaml in its order; each with those whose outputs it depends on.

    A stage of `foreach` counts once for each row, by DVC's name for it: train@csn-rgb.
    """
    stages = dict(_stages(root))
    made = {name: _paths(stage, "outs", "metrics", "plots") for name, stage in stages.items()}
    return {
        name: tuple(other for other in stages if _meet(_paths(stage, "deps"), made[other]))
        for name, stage in stages.items()
    }


def read_params(root: Path) -> dict[str, Any]:
    """`root`/params.yaml as it stands, unchecked."""
    return _read(root / "params.yaml")


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = read_yaml(path)
    return document


def _stages(root: Path) -> Iterator[tuple[str, Any]]:
    params = read_params(root)
    for name, stage in _read(root / "dvc.yaml")["stages"].items():
        yield from _rows(name, stage, params)


def _rows(
    name: str, stage: Mapping[str, Any], params: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The stage itself, or what `foreach` makes of it."""
    if "foreach" not in stage:
        yield name, _filled(stage, params)
        return
    for key in params[stage["foreach"].removeprefix("${").removesuffix("}")]:
        yield f"{name}@{key}", _filled(stage["do"], {**params, "key": key})


def _filled(entry: Any, values: Mapping[str, Any]) -> Any:
    """The entry with each ${a.b} replaced by values["a"]["b"]."""

    def value(match: re.Match[str]) -> str:
        return str(reduce(getitem, match[1].split("."), values))

    if isinstance(entry, str):
        return re.sub(r"\$\{([\w.]+)\}", value, entry)
    if isinstance(entry, Mapping):
        return {_filled(key, values): _filled(each, values) for key, each in entry.items()}
    return [_filled(each, values) for each in entry] if isinstance(entry, list) else entry


def _paths(stage: Mapping[str, Any], *kinds: str) -> list[PurePosixPath]:
    # An entry is a path, or a path with settings.
    return [
        PurePosixPath(path)
        for kind in kinds
        for entry in stage.get(kind, ())
        for path in ([entry] if isinstance(entry, str) else entry)
    ]


def _meet(deps: list[PurePosixPath], outs: list[PurePosixPath]) -> bool:
    """Whether a dependency is an output, lies in one, or holds one."""
    return any(dep.is_relative_to(out) or out.is_relative_to(dep) for dep in deps for out in outs)
