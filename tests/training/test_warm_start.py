import keras
import numpy as np
import pytest

from pipeline.errors import TrainingError
from pipeline.models import build
from pipeline.training.warm_start import take_weights


def network(architecture="csn", frames=4, classes=3, seed=0):
    shape = (frames, 32, 32, 3)
    return build(architecture, input_shape=shape, classes=classes, seed=seed)


@pytest.fixture
def earlier(tmp_path):
    network(seed=1).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_it_starts_as_the_earlier_model_ended(earlier):
    model = network()
    take_weights(model, earlier)
    wanted = keras.saving.load_model(earlier).get_weights()
    assert all(map(np.array_equal, model.get_weights(), wanted))


def test_other_classes_get_a_new_head_alone(earlier):
    model, fresh = network(classes=5), network(classes=5)
    take_weights(model, earlier)
    wanted = keras.saving.load_model(earlier).get_weights()[:-2] + fresh.get_weights()[-2:]
    assert all(map(np.array_equal, model.get_weights(), wanted))


def test_a_model_of_another_architecture_is_refused(earlier):
    with pytest.raises(TrainingError, match=r"is a csn for windows .* to train a r2plus1d"):
        take_weights(network("r2plus1d"), earlier)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"half a file")
    with pytest.raises(TrainingError, match=r"model\.keras cannot be read"):
        take_weights(network(), tmp_path / "model.keras")
