"""Captions on frames."""

import numpy as np
import pytest

from pipeline.inference.classifier import Answer, JudgedWindow, Judgement
from pipeline.report.captions import Captions

CLASSES = ("dog", "猫", "Über $lang_ " * 20, "\U0001f984")


def answer(*strangeness):
    """A window of 2 s for each, one after another."""
    windows = tuple(
        JudgedWindow(2.0 * number, 2.0 * number + 2, Judgement(chances(number), each))
        for number, each in enumerate(strangeness)
    )
    return Answer(CLASSES, 2.0 * len(windows), windows[0].judgement, windows, {})


def chances(likeliest):
    return np.where(np.arange(4) == likeliest, 0.85, 0.05).astype(np.float32)


def picture(height=120, width=160):
    return np.full((height, width, 3), 90, np.uint8)


def test_rows_cover_the_lower_edge_and_nothing_else():
    drawn = Captions(answer(-1)).draw(picture(), 0.0)
    changed = (drawn != picture()).any(axis=(1, 2))
    assert (drawn.shape, drawn.dtype) == ((120, 160, 3), np.uint8)
    assert not changed[: 120 - 48].any()
    assert changed[120 - 48 :].all()


def test_a_bar_is_as_wide_as_its_class_is_likely():
    drawn = Captions(answer(-1)).draw(picture(240, 400), 0.0).astype(int)
    blue = drawn[240 - 47, :, 0] - drawn[240 - 47, :, 2] > 60  # a bar's upper edge, above letters
    assert np.count_nonzero(blue) == pytest.approx(0.85 * 400, abs=3)


def test_the_nearest_window_is_shown():
    captions = Captions(answer(-1, -1, -1))
    first, second, third = (captions.draw(picture(), time) for time in (1.0, 3.0, 99.0))
    assert np.array_equal(first, captions.draw(picture(), 1.9))
    assert np.array_equal(second, captions.draw(picture(), 2.1))
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_none_of_these_looks_different():
    known, strange = (Captions(answer(each)).draw(picture(), 0.0) for each in (-1.0, 1.0))
    assert not np.array_equal(known, strange)


@pytest.mark.parametrize("size", [(16, 16), (33, 401), (1080, 1920)])
def test_pictures_of_any_size(size):
    assert Captions(answer(-1)).draw(picture(*size), 0.0).shape == (*size, 3)
