from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.errors import TrainingError
from pipeline.training.fit import fit

SETTINGS = {
    "max_steps": 12,
    "max_minutes": 5.0,
    "patience": 100,
    "target_accuracy": 2.0,  # out of reach
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "mixup": 0.2,
    "cutmix": 0.5,
    "background": 0.3,
    "motion_only": 0.5,
    "ema_momentum": 0.9,
}
STEPS = 3
EPOCHS = 4


def settings(**changes):
    return SimpleNamespace(**{**SETTINGS, **changes})


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 4, 4, 3))
    x = layers.BatchNormalization()(layers.Flatten()(inputs))
    x = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x), name="tiny")


def windows(seed, count=4):
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 2
    return (rng.normal(size=(count, 2, 4, 4, 3)) + labels.reshape(-1, 1, 1, 1, 1)).astype(
        "f"
    ), labels


def batches_from(epoch):
    seeds = [epoch * STEPS + step for step in range(40 * STEPS - epoch * STEPS)]
    x, y = zip(*map(windows, seeds), strict=True)
    return tf.data.Dataset.from_tensor_slices((np.stack(x), np.stack(y)))


def without_seconds(history):
    return [{name: row[name] for name in row if name != "seconds"} for row in history]


def train(model, state, changed=None, **kwargs):
    validation = tf.data.Dataset.from_tensors(windows(999, 8))
    options = {"train": batches_from, "validation": validation, "steps_per_epoch": STEPS}
    return fit(model, settings=settings(**changed or {}), state=state, **{**options, **kwargs})


def test_learns_and_reports_every_epoch(tmp_path):
    model, seen = network(), []
    changed = {"max_steps": 36, "motion_only": 0.0}  # these classes differ in brightness alone
    training = train(model, tmp_path, changed, on_epoch=lambda n, m: seen.append((n, m)))
    assert [n for n, _ in seen] == list(range(1, 13))
    assert [m for _, m in seen] == training.history
    assert (training.stopped_by, training.steps) == ("max_steps", 36)
    assert 0 < training.data_wait_fraction < 1
    assert training.seconds > 0
    x, labels = windows(999, 8)
    assert (model.predict_on_batch(x).argmax(1) == labels).mean() > 0.7


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    model = network()
    return model, train(model, tmp_path_factory.mktemp("unbroken"))


def test_model_ends_with_the_averaged_weights_that_were_validated_last(unbroken):
    model, training = unbroken
    x, labels = windows(999, 8)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    reached = float(loss(keras.ops.one_hot(labels, 2), model.predict_on_batch(x)))
    assert reached == pytest.approx(training.history[-1]["val_loss"], rel=1e-4)


def test_without_validation_all_steps_are_taken(tmp_path):
    training = train(network(), tmp_path, {"patience": 1, "target_accuracy": 0.01}, validation=None)
    assert (training.stopped_by, len(training.history)) == ("max_steps", EPOCHS)
    assert [set(row) for row in training.history] == [{"accuracy", "loss", "seconds"}] * EPOCHS


def test_saved_model_holds_no_optimizer_and_loads(unbroken, tmp_path):
    unbroken[0].save(tmp_path / "model.keras")
    assert getattr(keras.saving.load_model(tmp_path / "model.keras"), "optimizer", None) is None


class Killed(Exception):  # noqa: N818 (stands for a signal)
    pass


def test_after_a_kill_ends_with_the_metrics_of_an_unbroken_run(unbroken, tmp_path):
    def kill(done, metrics):
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        train(network(), tmp_path, on_epoch=kill)
    resumed = network()
    history = train(resumed, tmp_path).history
    assert without_seconds(history) == without_seconds(unbroken[1].history)
    seconds = [row["seconds"] for row in history]
    assert seconds == sorted(set(seconds))
    for ours, theirs in zip(resumed.get_weights(), unbroken[0].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_finished_training_is_not_repeated(tmp_path):
    first = train(network(), tmp_path, {"max_steps": STEPS})
    again = train(
        network(), tmp_path, {"max_steps": STEPS}, train=lambda epoch: tf.data.Dataset.range(0)
    )
    assert again == first


def test_loss_that_is_no_number_stops_with_the_step(tmp_path):
    model = network()
    model.layers[-1].bias.assign([np.nan, 0])
    with pytest.raises(TrainingError, match="nan at step 1"):
        train(model, tmp_path)
