from itertools import pairwise

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from pipeline.errors import StyleError
from pipeline.style.feedforward import FeedForward, load_generator
from pipeline.style.networks import generator
from pipeline.video.decode import Picture


def still(frames=6, shape=(48, 64)) -> list[Picture]:
    """A scene that stands still, but for noise."""
    random = np.random.default_rng(0)
    scene = cv2.resize(random.integers(40, 215, (6, 8, 3)).astype(np.float32), shape[::-1])
    noise = random.normal(0, 6, (frames, *shape, 3))
    return list((scene + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def identity():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.Activation("linear")(inputs))


def flicker(frames):
    return np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairwise(frames)])


def test_frames_keep_their_sizes_odd_or_even(picture):
    network = generator(widths=(4, 4, 4), blocks=1)
    for shape in ((48, 64), (33, 47), (16, 19)):
        frames = still(2, shape)
        stylized = list(FeedForward(network, blend=0.7).video(iter(frames)))
        assert [frame.shape for frame in stylized] == [(*shape, 3)] * 2
        assert stylized[0].dtype == np.uint8


def test_a_network_that_changes_nothing_changes_nothing(identity):
    frames = still(3)
    for frame, stylized in zip(frames, FeedForward(identity).video(iter(frames)), strict=True):
        np.testing.assert_array_equal(frame, stylized)


def test_blending_holds_a_still_scene_steady(identity):
    frames = still()
    steady = list(FeedForward(identity, blend=0.7).video(iter(frames)))
    assert flicker(steady) < 0.6 * flicker(frames)


def test_nothing_is_blended_across_a_scene_cut(identity):
    frames = [np.full((48, 64, 3), 20, np.uint8), still(1)[0]]
    _, after = FeedForward(identity, blend=0.7).video(iter(frames))
    np.testing.assert_array_equal(after, frames[1])


def test_kept_colours_leave_grey_grey():
    grey = [np.repeat(frame[..., :1], 3, axis=-1) for frame in still(1)]
    network = generator(widths=(4, 4, 4), blocks=1)
    stylized = FeedForward(network, keep_colours=True).picture(grey[0])
    assert np.ptp(stylized.astype(int), axis=-1).max() <= 3


def test_a_network_of_another_kind_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, layers.Flatten()(inputs)).save(tmp_path / "other.keras")
    (tmp_path / "text.keras").write_text("no network")
    for name, said in {
        "other.keras": r"maps \(None, 8, 8, 3\) to \(None, 192\)",
        "text.keras": "cannot be read",
        "none.keras": "does not exist",
    }.items():
        with pytest.raises(StyleError, match=said):
            load_generator(tmp_path / name)
