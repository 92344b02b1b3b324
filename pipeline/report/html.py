"""One HTML file that needs nothing else: pictures inside, no script. All texts are escaped."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

_TEMPLATE = Path(__file__).with_name("report.html")
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg"}


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, as HTML."""

    heading: str
    blocks: tuple[str, ...]


def page(title: str, *, lead: str, sections: Sequence[Section]) -> str:
    """The whole document, with a list of its sections on top."""
    numbered = list(enumerate(sections, start=1))
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        lead=escape(lead),
        contents=" ".join(f'<a href="#s{i}">{escape(each.heading)}</a>' for i, each in numbered),
        body="\n".join(_section(i, each) for i, each in numbered),
    )


def paragraph(text: str) -> str:
    """Running text."""
    return f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def chart(picture: bytes, *, alt: str, caption: str = "") -> str:
    """A drawing on white; dark screens turn it dark."""
    return _figure(picture, kind="chart", alt=alt, caption=caption)


def photo(picture: bytes, *, alt: str, caption: str = "") -> str:
    """A picture that keeps its colours."""
    return _figure(picture, kind="photo", alt=alt, caption=caption)


def tiles(blocks: Iterable[str]) -> str:
    """Blocks side by side, as many as the screen has room for."""
    return f'<div class="tiles">{"".join(f"<div>{block}</div>" for block in blocks)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, kind: str = "numbers") -> str:
    """Rows of cells below a head; `kind` is numbers (to the right) or words (to the left)."""
    body = "".join(f"<tr>{_cells('td', row)}</tr>\n" for row in rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{_cells("th", head)}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _section(number: int, section: Section) -> str:
    blocks = "\n".join(section.blocks)
    return f'<section id="s{number}">\n<h2>{escape(section.heading)}</h2>\n{blocks}\n</section>'


def _cells(tag: str, cells: Sequence[object]) -> str:
    return "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)


def _figure(picture: bytes, *, kind: str, alt: str, caption: str) -> str:
    suffix = next(name for start, name in _KINDS.items() if picture.startswith(start))
    data = base64.b64encode(picture).decode("ascii")
    image = f'<img class="{kind}" alt="{escape(alt)}" src="data:image/{suffix};base64,{data}">'
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><div class="wide">{image}</div>{words}</figure>'
