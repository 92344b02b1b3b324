import json

import cv2
import numpy as np
import pytest

from pipeline.report import style_part
from pipeline.report.html import page
from tests.report.example import cells

VIDEO = {
    "warping_error": 0.012,
    "gram_distance": 0.31,
    "content_distance": 0.5,
    "content_drift": 1.25,
    "colour_drift": 0.004,
}
ROW = {"size_bytes": 900_000, "video": VIDEO, "per_frame": VIDEO | {"warping_error": 0.034}}
ROWS = [
    ROW | {"name": "nst", "method": "nst", "train_seconds": 0.0, "seconds_per_frame": 2.5},
    ROW | {"name": "sea", "method": "fast", "train_seconds": 90.0, "seconds_per_frame": 0.08},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps(ROWS))
    for row in ROWS:
        (tmp_path / row["name"]).mkdir()
        cv2.imwrite(str(tmp_path / row["name"] / "stylized.png"), np.zeros((4, 4, 3), np.uint8))
    return tmp_path


def test_each_method_has_a_row_of_numbers_one_of_words_and_a_picture(folder):
    html = page("", lead="", sections=style_part.sections(folder))
    nst, sea, _, words = cells(html)
    assert sea[:4] == ["feed-forward network (sea)", "0.080", "1.5 min", "0.9 MB"]
    assert nst[:3] == ["neural style transfer", "2.500", "none"]
    assert nst[4:6] == ["0.0120", "0.0340"]
    assert "once per style image; here 1.5 min" in words
    assert "one pass per frame; here 12.5 frames/s" in words
    assert html.count('<img class="photo"') == len(ROWS)


def test_every_method_has_its_words():
    assert style_part.METHODS.keys() == style_part.WORDS.keys()
