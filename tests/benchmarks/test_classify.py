import numpy as np
import pytest

from benchmarks.classify import HEIGHT, RATE, WIDTH, raw, write_film
from pipeline.inference.calibration import probabilities
from pipeline.video.probe import probe


def test_probabilities_are_told_as_they_were_before_the_temperature():
    logits = np.random.default_rng(0).normal(size=(5, 9))
    found = raw(probabilities(logits, 2.0), 2.0)
    np.testing.assert_allclose(found, probabilities(logits, 1.0), atol=1e-6)


def test_a_film_repeats_its_clips_until_it_is_long_enough(film, tmp_path):
    clips = [film(tmp_path / f"{number}.avi", frames=4) for number in range(2)]
    write_film(tmp_path / "film.mp4", clips, seconds=1)
    made = probe(tmp_path / "film.mp4")
    assert (made.frames, made.width, made.height) == (RATE, WIDTH, HEIGHT)
    assert made.fps == pytest.approx(RATE)
