import keras
import numpy as np
import pytest

from pipeline.models import ARCHITECTURES, build
from pipeline.training import hardware


@pytest.fixture
def mixed_precision(monkeypatch):
    monkeypatch.setattr(hardware.tf.config, "list_physical_devices", lambda kind: [kind])
    keras.config.set_dtype_policy(hardware.precision())
    yield
    keras.config.set_dtype_policy("float32")


def test_cpus_train_in_float32(monkeypatch):
    monkeypatch.setattr(hardware.tf.config, "list_physical_devices", lambda kind: [])
    assert hardware.precision() == "float32"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_on_gpus_weights_and_answers_stay_float32(mixed_precision, architecture):
    model = build(architecture, input_shape=(4, 32, 32, 3), classes=3)
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    assert "bfloat16" in {layer.compute_dtype for layer in model.layers}
    answers = model(np.zeros((2, 4, 32, 32, 3), np.float32), training=True)
    assert answers.dtype == "float32"
    np.testing.assert_allclose(np.sum(answers, axis=1), 1, atol=1e-3)
