"""A former model and a new one asked the same."""

import numpy as np
import pytest

from pipeline.errors import BundleError
from pipeline.evaluation.predictions import Predictions
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.inference.rematch import rematch
from tests.inference.example import CLASSES

MORE = ("dog", "horse", "zebra finch")  # the bundle knows a cat instead of the horse


@pytest.fixture
def paths(clips):
    """The files of nine clips, three of each class of MORE."""
    return {f"{MORE[number % 3]}/{number}": clip.path for number, clip in enumerate(clips)}


@pytest.fixture
def videos(paths):
    """A challenger that gives each clip its class, with the horse as second choice."""
    ids = np.array(sorted(paths))
    labels = np.array([MORE.index(clip.partition("/")[0]) for clip in ids])
    probabilities = 0.6 * np.eye(3)[labels] + 0.4 * np.eye(3)[1]
    return Predictions(MORE, ids, ids, labels, probabilities.astype(np.float32))


def test_both_answer_for_the_classes_that_both_know(videos, bundles, paths):
    challenger, champion = rematch(videos, bundles / "rgb", paths, unfair=())
    assert challenger.classes == champion.classes == ("dog", "zebra finch")
    known = [clip for clip in videos.clips if not clip.startswith("horse")]
    assert challenger.clips.tolist() == champion.clips.tolist() == known
    assert challenger.accuracy == 1.0
    classifier = Classifier.load([bundles / "rgb"])
    for clip, found in zip(champion.clips, champion.probabilities, strict=True):
        whole = classify_video(classifier, paths[clip]).whole.probabilities
        expected = [whole[CLASSES.index(name)] for name in champion.classes]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_clips_that_the_champion_has_trained_on_are_left_out(videos, bundles, paths):
    unfair = {clip for clip in paths if not clip.endswith("/0")}
    pair = rematch(videos, bundles / "rgb", paths, unfair)
    assert pair.champion.clips.tolist() == pair.challenger.clips.tolist() == ["dog/0"]
    with pytest.raises(BundleError, match="was trained on the clips that are tested on now"):
        rematch(videos, bundles / "rgb", paths, unfair=set(paths))


def test_fewer_than_two_shared_classes_are_no_question(videos, bundles, paths):
    others = Predictions(("dog", "a", "b"), *list(vars(videos).values())[1:])
    with pytest.raises(BundleError, match="fewer than two are among the classes now: dog, a, b"):
        rematch(others, bundles / "rgb", paths, unfair=())
