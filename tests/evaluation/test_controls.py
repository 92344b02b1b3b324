"""What a model is shown to find how much it uses time."""

import numpy as np
import tensorflow as tf

from pipeline.evaluation.controls import CONTROLS, in_order, predict_with_controls, shuffled, still
from pipeline.evaluation.predict import predict

FRAMES = 5
GROUPS = {"one": "g1", "two": "g2", "three": "g2"}
KNOWN = {"classes": ("a", "b"), "groups": GROUPS}


def windows(*, batch=2, per_clip=3):
    """Windows [T, 1, 1, 1] of frames 0, 1, 2 … + 10 × window + 100 × clip; each clip's in turn."""
    rows = [
        (np.arange(FRAMES, dtype=np.float32) + 10 * window + 100 * clip, clip % 2, name)
        for clip, name in enumerate(GROUPS)
        for window in range(per_clip)
    ]
    x, y, names = zip(*rows, strict=True)
    x = np.stack(x).reshape(-1, FRAMES, 1, 1, 1)
    return tf.data.Dataset.from_tensor_slices((x, list(y), list(names))).batch(batch)


def frames_of(x):
    """A "model" that answers with its first and its last frame."""
    return tf.stack([x[:, 0, 0, 0, 0], x[:, -1, 0, 0, 0]], axis=1)


def test_still_shows_the_middle_frame_and_shuffled_every_frame_once():
    assert still(4, "a").tolist() == [2] * 4
    assert sorted(shuffled(16, "a")) == list(range(16))


def test_a_clip_is_shuffled_the_same_way_every_time_and_clips_differently():
    assert shuffled(16, "a").tolist() == shuffled(16, "a").tolist()
    assert shuffled(16, "a").tolist() != shuffled(16, "b").tolist()


def test_each_window_is_shown_in_its_own_order():
    x = tf.reshape(tf.range(6), (2, 3, 1, 1, 1))
    shown = in_order(x, [np.array([2, 2, 0]), np.array([1, 0, 2])])
    assert shown.numpy().reshape(2, 3).tolist() == [[2, 2, 0], [4, 3, 5]]


def test_all_windows_are_judged_as_without_controls():
    everything, _ = predict_with_controls(frames_of, windows(), place=1, **KNOWN)
    alone = predict(frames_of, windows(), **KNOWN)
    assert everything.clips.tolist() == alone.clips.tolist()
    np.testing.assert_array_equal(everything.probabilities, alone.probabilities)


def test_controls_and_their_counterpart_see_the_same_one_window_of_each_clip():
    _, controls = predict_with_controls(frames_of, windows(), place=1, **KNOWN)
    for answers in controls.values():
        assert answers.clips.tolist() == ["one", "two", "three"]
        assert answers.groups.tolist() == ["g1", "g2", "g2"]
        assert answers.labels.tolist() == [0, 1, 0]
    first = [10, 110, 210]  # of the second window
    ordered = [[frame, frame + FRAMES - 1] for frame in first]
    assert controls["ordered"].probabilities.tolist() == ordered
    assert controls["still"].probabilities.tolist() == [[frame + 2] * 2 for frame in first]
    ends = [shuffled(FRAMES, name)[[0, -1]] for name in GROUPS]
    expected = np.stack(ends) + np.reshape(first, (3, 1))
    np.testing.assert_array_equal(controls["shuffled"].probabilities, expected)


def test_a_model_blind_to_order_loses_nothing_by_shuffling():
    _, controls = predict_with_controls(
        lambda x: tf.reduce_mean(x, axis=(1, 2, 3)) * [[1.0, 2.0]], windows(), place=0, **KNOWN
    )
    assert list(controls) == ["ordered", *CONTROLS]
    np.testing.assert_allclose(
        controls["ordered"].probabilities, controls["shuffled"].probabilities
    )
