"""The values of a run's form, set in params.yaml; names and values are checked first.

Where several people use one Airflow, $FORM_FOLDERS lists the folders that a form may name (as PATH
lists its own): a worker can read more than those who fill in forms, such as its secrets.
"""

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError
from pipeline.files import parse_yaml
from pipeline.params import validate_params

FOLDERS = "FORM_FOLDERS"
# Values of params that name no path.
WORDS = {"sample", "ucf101", "clips", "brush", "scratch", "mobilenet"}


def require_allowed_paths(paths: Mapping[str, str], project: Path) -> None:
    """Refuse paths out of $FORM_FOLDERS; the keys say where each stood. Unset: none is refused."""
    folders = _allowed_folders(project)
    for key, path in paths.items():
        inside = any((project / path).resolve().is_relative_to(folder) for folder in folders)
        if folders and path not in WORDS and not inside:
            raise ParamsError(
                f"{key} is {path}; here a form may name only what lies in "
                f"{', '.join(map(str, folders))}: put it there"
            )


def require_allowed_keys(values: Mapping[str, object], project: Path) -> None:
    """Refuse settings of the machine where forms are bounded: an address may lead anywhere."""
    machine = [key for key in values if key.partition(".")[0] == "machine"]
    if machine and _allowed_folders(project):
        raise ParamsError(
            f"{machine[0]} is a setting of the machine, and here no form may change it; it stands "
            "in params.yaml"
        )


def _allowed_folders(project: Path) -> list[Path]:
    listed = os.environ.get(FOLDERS, "").split(os.pathsep)
    return [(project / folder).resolve() for folder in listed if folder]


def apply_form(text: str, values: Mapping[str, object]) -> str:
    """params.yaml's `text` with each dotted name set; comments stay.

    A ParamsError names a key that does not exist, with those that do, or the rule of its value.
    """
    yaml = round_trip_yaml()
    document = yaml.load(text)
    known = validate_params(parse_yaml(text), "params.yaml").model_dump()
    for name, value in values.items():
        _set(document, known, name, value)
    filled = StringIO()
    yaml.dump(document, filled)
    validate_params(parse_yaml(filled.getvalue()), "the run's params")
    return filled.getvalue()


def _set(document: Any, known: Any, name: str, value: object) -> None:
    """Set the key that `name` leads to; `known` has the keys with defaults, too."""
    *sections, key = name.split(".")
    for depth, part in enumerate([*sections, key]):
        if not isinstance(known, Mapping) or part not in known:
            raise ParamsError(_unknown(name, ".".join(sections[:depth]), known))
        known = known[part]
        document = document.setdefault(part, {}) if depth < len(sections) else document
    if isinstance(known, Mapping):
        keys = ", ".join(f"{name}.{each}" for each in known)
        raise ParamsError(f"{name} is a section of params.yaml; set one of its keys: {keys}")
    document[key] = _typed(value, known)


def _unknown(name: str, section: str, known: Any) -> str:
    where = section or "params.yaml"
    has = f"it has {', '.join(known)}" if isinstance(known, Mapping) else "it is a single value"
    return f"{name} is not in params.yaml: {where} has no such key; {has}"


def _typed(value: object, present: object) -> object:
    """Text for a key that holds no text, read as params.yaml would read it: "1e-3" is a number."""
    if not isinstance(value, str) or isinstance(present, str):
        return value
    try:
        return parse_yaml(value)
    except YAMLError:
        return value


def round_trip_yaml() -> YAML:
    """Reads and writes YAML as people wrote it."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml
