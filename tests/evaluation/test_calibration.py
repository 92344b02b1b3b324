"""Calibration against values worked out by hand, and on labels drawn from the probabilities."""

import numpy as np
import pytest

from pipeline.evaluation.calibration import (
    confidence_metrics,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    risk_coverage,
    top_accuracy,
)
from pipeline.evaluation.predictions import Predictions


def videos(probabilities, labels, clips=None):
    clips = np.asarray(clips or [f"clip{i:05}" for i in range(len(labels))])
    classes = tuple("abcdefghi"[: len(probabilities[0])])
    probabilities = np.asarray(probabilities, np.float32)
    return Predictions(classes, clips, clips, np.asarray(labels), probabilities)


def honest(count, *, power=1.0):
    """Labels drawn from the probabilities; then these are raised to `power` and scaled."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, 4)) * 2
    stated = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (stated.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=3)
    sharpened = stated**power
    return videos(sharpened / sharpened.sum(axis=1, keepdims=True), labels)


# Two rows at 0.9, both correct; two at 0.6, one correct.
FOUR = videos([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.6, 0.4]], [0, 1, 0, 1])


def test_bins_hold_rows_of_similar_confidence():
    low, high = reliability(FOUR)
    assert (low.count, low.accuracy, high.count, high.accuracy) == (2, 0.5, 2, 1)
    assert (low.confidence, high.confidence) == pytest.approx((0.6, 0.9))


def test_the_error_is_the_mean_gap_of_the_bins():
    assert expected_calibration_error(FOUR) == pytest.approx((0.1 + 0.1) / 2)


def test_certainty_has_a_bin():
    assert expected_calibration_error(videos([[1, 0], [1, 0]], [0, 1])) == pytest.approx(0.5)


def test_honest_probabilities_have_hardly_an_error_and_others_have():
    assert expected_calibration_error(honest(20_000)) < 0.01
    assert expected_calibration_error(honest(20_000, power=0.4)) > 0.1


def test_a_probability_of_0_stays_finite():
    certain = videos([[1.0, 0.0]], [1])
    assert np.isfinite(negative_log_likelihood(certain))


def test_the_likelihood_is_of_the_true_class():
    assert negative_log_likelihood(FOUR) == pytest.approx(
        -np.mean(np.log([0.9, 0.9, 0.6, 0.4])), rel=1e-6
    )


def test_the_second_class_counts_for_top_2():
    rows = videos([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [0, 1, 2])
    assert top_accuracy(rows, 1) == pytest.approx(1 / 3)
    assert top_accuracy(rows, 2) == pytest.approx(2 / 3)


def test_risk_rises_as_less_confident_rows_are_covered():
    coverage, risk = risk_coverage(videos([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [0, 0, 1]))
    np.testing.assert_allclose(coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3])


def test_the_order_of_equally_confident_rows_does_not_matter():
    one = risk_coverage(videos([[0.9, 0.1]] * 4, [0, 0, 1, 1]))[1]
    other = risk_coverage(videos([[0.9, 0.1]] * 4, [1, 0, 1, 0]))[1]
    np.testing.assert_allclose(one, other)
    np.testing.assert_allclose(one, 0.5)


def test_every_metric_is_a_finite_number():
    found = confidence_metrics(honest(50))
    assert len(found) == 4
    assert np.isfinite(list(found.values())).all()
