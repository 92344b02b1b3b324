"""The values of a run's form, set in params.yaml; names and values are checked first."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError
from pipeline.files import parse_yaml
from pipeline.params import validate_params


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
