"""Forms beside each other: judged on the same windows."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.evaluation.predictions import Predictions
from pipeline.inference.forms import clip_means, judged, predict_forms
from pipeline.inference.runtime import Outputs

CLASSES = ("dark", "light")
GROUPS = {"a": "g1", "b": "g2"}


def dataset() -> list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Two windows of each of two clips, over two batches."""
    levels, labels = [[10.0, 20.0, 200.0], [240.0]], [[0, 0, 1], [1]]
    clips = [["a", "a", "b"], ["b"]]
    return [
        (tf.constant(x)[:, None], tf.constant(y), tf.constant(z))
        for x, y, z in zip(levels, labels, clips, strict=True)
    ]


def by_level(windows: np.ndarray) -> np.ndarray:
    light = windows[:, 0] / 255
    return np.stack([1 - light, light], axis=1).astype(np.float32)


def test_each_form_sees_the_same_windows():
    forms = {"right": by_level, "wrong": lambda windows: 1 - by_level(windows)}
    found = predict_forms(forms, dataset(), classes=CLASSES, groups=GROUPS)
    assert (found["right"].accuracy, found["wrong"].accuracy) == (1.0, 0.0)
    assert found["right"].clips.tolist() == ["a", "a", "b", "b"]
    np.testing.assert_allclose(found["right"].probabilities, 1 - found["wrong"].probabilities)


def predictions(light: list[float]) -> Predictions:
    """One window of each of as many clips, half of them dark."""
    clips = np.array([f"{number:02}" for number in range(len(light))])
    labels = np.arange(len(light)) % 2
    return Predictions(CLASSES, clips, clips, labels, by_level(255 * np.array(light)[:, None]))


def test_a_form_is_judged_beside_keras(tmp_path):
    file = tmp_path / "int8.tflite"
    file.write_bytes(b"1234")
    form = judged(file, predictions([0.2, 0.4, 0.1, 0.9]), predictions([0.2, 0.6, 0.1, 0.9]), 1.5)
    assert (form.file, form.size_bytes, form.latency_ms) == ("int8.tflite", 4, 1.5)
    assert (form.clip_accuracy, form.video_accuracy, form.agreement) == (0.75, 0.75, 0.75)
    assert form.max_difference == pytest.approx(0.2)


def test_outputs_are_averaged_over_the_windows_of_a_clip():
    def runtime(windows: np.ndarray) -> Outputs:
        return Outputs(np.hstack([windows, 0 * windows]) / 100, 2 * windows)

    clips = clip_means(runtime, dataset(), 2)
    outputs, labels, names = clips
    chances = [[1 / (1 + np.exp(-x / 100)) for x in pair] for pair in ((10, 20), (200, 240))]
    np.testing.assert_allclose(np.exp(outputs.logits[:, 0]), np.mean(chances, axis=1), rtol=1e-6)
    assert outputs.features.tolist() == [[30.0], [440.0]]
    assert (labels.tolist(), names.tolist()) == ([0, 1], ["a", "b"])
    assert clips.only(labels == 1).outputs.features.tolist() == [[440.0]]
