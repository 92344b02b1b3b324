"""Clips of none of the classes score higher than those of a class."""

import numpy as np
import pytest

from pipeline.errors import BundleError
from pipeline.inference.card import Rejection
from pipeline.inference.runtime import Outputs
from pipeline.inference.strangers import SCORES, fit_rejection, stranger_score

CLASSES, SIZE = 4, 32


def clips(count, *, seed, classes=range(CLASSES)):
    """Outputs around one direction of the features per class, and their labels."""
    centres = np.random.default_rng(0).normal(size=(2 * CLASSES, SIZE)) * 3
    labels = np.resize(np.array(classes), count)
    noise = np.random.default_rng(seed).normal(size=(count, SIZE))
    features = np.maximum(centres[labels] + noise, 0).astype(np.float32)
    logits = (features @ centres[:CLASSES].T / 10).astype(np.float32)
    return Outputs(logits, features), labels


@pytest.fixture(scope="module")
def fitted():
    return fit_rejection(*clips(200, seed=1), *clips(100, seed=2))


def test_most_known_clips_are_kept_and_most_strangers_rejected(fitted):
    rejection, arrays = fitted
    known, _ = clips(400, seed=3)
    strangers, _ = clips(400, seed=4, classes=range(CLASSES, 2 * CLASSES))
    assert np.mean(stranger_score(rejection, arrays, known) <= rejection.threshold) >= 0.9
    assert np.mean(stranger_score(rejection, arrays, strangers) > rejection.threshold) >= 0.9


def test_the_card_says_what_share_of_validation_is_kept(fitted):
    rejection, arrays = fitted
    scores = stranger_score(rejection, arrays, clips(100, seed=2)[0])
    assert rejection.kept == np.mean(scores <= rejection.threshold)


def test_a_clips_score_does_not_depend_on_its_neighbours_in_the_batch(fitted):
    outputs, _ = clips(8, seed=5)
    together = stranger_score(*fitted, outputs)
    alone = [
        stranger_score(*fitted, Outputs(*(each[i : i + 1] for each in outputs))) for i in range(8)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)


def test_arrays_survive_a_file_without_pickle(fitted, tmp_path):
    rejection, arrays = fitted
    np.savez(tmp_path / "strangers.npz", **arrays)
    outputs, _ = clips(8, seed=5)
    with np.load(tmp_path / "strangers.npz", allow_pickle=False) as read:
        again = stranger_score(rejection, dict(read), outputs)
    np.testing.assert_array_equal(again, stranger_score(rejection, arrays, outputs))


def test_silence_has_a_score(fitted):
    outputs = Outputs(np.zeros((1, CLASSES), np.float32), np.zeros((1, SIZE), np.float32))
    assert np.isfinite(stranger_score(*fitted, outputs)).all()


def test_a_score_of_another_version_is_an_error():
    outputs, _ = clips(1, seed=0)
    with pytest.raises(BundleError, match="'unheard of'; this version knows"):
        stranger_score(Rejection("unheard of", 0.5, 0.95), {}, outputs)


def test_every_score_is_one_that_a_card_may_name(fitted):
    assert fitted[0].score in SCORES
