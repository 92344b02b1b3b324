"""One page that needs nothing else."""

import base64
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from markupsafe import Markup

from pipeline.report import html
from pipeline.report.html import Section

DOT = np.zeros((2, 2, 3), np.uint8)
PNG = cv2.imencode(".png", DOT)[1].tobytes()
JPEG = cv2.imencode(".jpg", DOT)[1].tobytes()
VOID = {"meta", "img", "link", "br"}


class Tags(HTMLParser):
    """The tags of a page with their attributes; fails where they do not nest."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


BLOCKS = html.template("blocks.html")


def page(*blocks):
    sections = [Section("One", Markup("").join(blocks)), Section("Two", "<plain text>")]
    return html.page("A & B", lead="1 < 2", sections=sections)


def test_a_page_nests_and_lists_its_sections():
    found = Tags(page(BLOCKS.photo(PNG, alt="a"), BLOCKS.table(["b"], [["c"]]))).found
    links = [attrs["href"] for tag, attrs in found if tag == "a"]
    assert links == [f"#{attrs['id']}" for tag, attrs in found if tag == "section"]
    assert len(links) == 2


@pytest.mark.parametrize(("picture", "kind"), [(PNG, "png"), (JPEG, "jpeg")])
def test_pictures_are_inside_the_page(picture, kind):
    (image,) = (
        attrs for tag, attrs in Tags(page(BLOCKS.photo(picture, alt="x"))).found if tag == "img"
    )
    head, data = image["src"].split(",")
    assert head == f"data:image/{kind};base64"
    assert base64.b64decode(data) == picture


def test_a_page_asks_for_nothing_outside_itself():
    text = page(BLOCKS.chart(PNG, alt="x"))
    assert not any(word in text for word in ("http", "<script", "<link", "url(", "@import"))


def test_texts_are_escaped():
    text = page(
        BLOCKS.table(["<b>"], [["<b>"]]),
        BLOCKS.photo(PNG, alt='<b>"', caption="<b>"),
    )
    assert "<b>" not in text
    assert "<plain text>" not in text
    assert "<h1>A &amp; B</h1>" in text
    assert "1 &lt; 2" in text


def test_a_table_has_a_head_and_a_row_a_line():
    found = [tag for tag, _ in Tags(BLOCKS.table(["a", "b"], [[1, 2], [3, 4]])).found]
    assert (found.count("th"), found.count("td"), found.count("tr")) == (2, 4, 3)


def test_a_row_of_cards_names_each_cell_for_narrow_screens():
    found = Tags(BLOCKS.table(["a", "b"], [[1, 2]], cards=True)).found
    assert [attrs["data-head"] for tag, attrs in found if tag == "td"] == ["a", "b"]


def test_dark_screens_phones_and_paper_have_rules():
    for rule in ("prefers-color-scheme: dark", "max-width: 40rem", "@media print"):
        assert rule in page()
