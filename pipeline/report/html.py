"""One HTML file that needs nothing else: pictures inside, no script. Jinja escapes all texts."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}


@dataclass(frozen=True)
class Section:
    """A heading and the HTML below it, which a template's macro made."""

    heading: str
    body: Markup


def page(title: str, *, lead: str, sections: Sequence[Section]) -> str:
    """The whole document, with a list of its sections on top."""
    template = _ENVIRONMENT.get_template("report.html")
    return template.render(title=title, lead=lead, sections=sections)


def template(name: str) -> Any:
    """A template of this folder; each of its macros is a function that returns HTML."""
    return _ENVIRONMENT.get_template(name).module


def _data_url(picture: bytes) -> str:
    suffix = next(name for start, name in _KINDS.items() if picture.startswith(start))
    return f"data:image/{suffix};base64,{base64.b64encode(picture).decode('ascii')}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["data_url"] = _data_url
_ENVIRONMENT.globals["blocks"] = template("blocks.html")
