"""Names of classes in figures."""

import cv2
import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from pipeline.report.confusion import figure
from pipeline.report.figures import png
from tests.report.test_confusion import VIDEOS

NAMES = ["射箭 アーチェリー 양궁", "🎻 violin", "costs $x_1$", "$", "$\\frac{", '"it\'s" <script>']


def drawn(text):
    """The pixels of a figure with nothing but the text."""
    drawing = Figure(figsize=(2, 0.5))
    drawing.text(0.05, 0.4, text)
    return cv2.imdecode(np.frombuffer(png(drawing, dpi=50), np.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_drawn_without_a_warning(name):
    assert drawn(name).min() < 128


def test_labels_of_axes_show_dollars_as_they_are():
    axes = figure(VIDEOS, title="$x$").axes[0]
    assert not any(label.get_parse_math() for label in (axes.title, *axes.get_yticklabels()))
    assert drawn("$x$").tobytes() != drawn("x").tobytes()


def test_only_installed_fonts_are_asked_for():
    assert set(rcParams["font.family"]) <= set(fontManager.get_font_names())
    assert rcParams["font.family"][0] == "DejaVu Sans"


@pytest.mark.skipif(
    "Noto Sans CJK JP" not in fontManager.get_font_names(), reason="fonts-noto-cjk is not installed"
)
def test_chinese_and_japanese_characters_have_glyphs_of_their_own():
    assert drawn("射箭").tobytes() != drawn("箭射").tobytes()
