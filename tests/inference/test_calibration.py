"""Temperatures that make probabilities honest, and sets that cover as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.inference.calibration import (
    COVERAGES,
    calibrated,
    clip_logits,
    conformal_thresholds,
    fit_temperature,
    prediction_set,
    probabilities,
)
from tests.evaluation.test_calibration import honest, videos


def drawn(clips, *, seed=0, classes=9):
    """Logits, and labels drawn from the very probabilities that they state."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(clips, classes)) * 2
    stated = probabilities(logits, 1.0)
    labels = (stated.cumsum(axis=1) < rng.random((clips, 1))).sum(axis=1).clip(max=classes - 1)
    return logits, labels


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32)))
def test_probabilities_sum_to_1_and_keep_the_order(logits):
    found = probabilities(logits, 2.5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert (found[np.arange(3), logits.argmax(axis=1)] == found.max(axis=1)).all()


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_scale_of_the_logits(scale):
    logits, labels = drawn(4000)
    assert fit_temperature(logits * scale, labels) == pytest.approx(scale, rel=0.1)


def test_clips_that_are_all_correct_do_not_drive_the_temperature_to_its_bound():
    labels = np.arange(60) % 9
    logits = 3.0 * np.eye(9)[labels]
    chance = probabilities(logits, fit_temperature(logits, labels))[0, 0]
    assert chance == pytest.approx(61 / 62, abs=1e-3)


def test_without_clips_the_temperature_is_1():
    assert fit_temperature(np.zeros((0, 9)), np.zeros(0, int)) == 1


def test_prediction_sets_cover_what_they_state():
    thresholds = conformal_thresholds(*drawn(1000), temperature=1.0)
    logits, labels = drawn(4000, seed=1)
    for coverage in COVERAGES:
        chosen = prediction_set(probabilities(logits, 1.0), thresholds[coverage])
        covered = chosen[np.arange(len(labels)), labels].mean()
        assert covered == pytest.approx(float(coverage), abs=0.025)


def test_too_few_clips_to_promise_a_coverage_give_sets_of_all_classes():
    logits, labels = drawn(10)
    thresholds = conformal_thresholds(logits, labels, 1.0)
    assert thresholds["0.95"] == 1
    assert prediction_set(probabilities(logits, 1.0), thresholds["0.95"]).all()


def test_no_prediction_set_is_empty():
    chosen = prediction_set(np.full(9, 1 / 9) + np.r_[0.01, np.zeros(8)], threshold=0.0)
    assert chosen.tolist() == [True] + [False] * 8


def test_a_clip_s_logits_mean_the_mean_probabilities_of_its_windows():
    windows = np.random.default_rng(0).normal(size=(5, 4, 3))
    found = probabilities(clip_logits(windows), 1.0)
    np.testing.assert_allclose(found, probabilities(windows, 1.0).mean(axis=1), atol=1e-6)


def test_a_class_that_no_window_thinks_possible_keeps_finite_logits():
    assert np.isfinite(clip_logits(np.asarray([[0.0, 1e4], [0.0, 1e4]]))).all()


def test_a_temperature_takes_a_power_of_the_probabilities_back():
    found = calibrated(honest(200, power=0.4), 0.4)
    np.testing.assert_allclose(found.probabilities, honest(200).probabilities, rtol=1e-4)


def test_a_clip_has_the_mean_probabilities_of_its_windows_at_the_temperature():
    windows = videos([[0.7, 0.1, 0.2], [0.2, 0.2, 0.6]], [0, 0], clips=["v", "v"])
    found = calibrated(windows, 2.0).probabilities
    expected = np.sqrt([0.45, 0.15, 0.4])
    np.testing.assert_allclose(found, expected[None] / expected.sum(), rtol=1e-5)


def test_a_probability_of_0_stays_finite_at_a_temperature():
    certain = videos([[1.0, 0.0]], [1])
    assert np.isfinite(calibrated(certain, 1.0).probabilities).all()
