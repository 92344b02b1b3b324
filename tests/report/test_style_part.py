import json

import cv2
import numpy as np
import pytest

from pipeline.report import style_part
from pipeline.report.html import page

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
    for said in (
        "<td>feed-forward network (sea)</td><td>0.080</td><td>1.5 min</td><td>0.9 MB</td>",
        "<td>neural style transfer</td><td>2.500</td><td>none</td>",
        "<td>0.0120</td><td>0.0340</td>",
        "once per style image; here 1.5 min",
        "one pass per frame; here 12.5 frames/s",
    ):
        assert said in html
    assert html.count('<img class="photo"') == len(ROWS)


def test_every_method_has_its_words():
    assert style_part.METHODS.keys() == style_part.WORDS.keys()
