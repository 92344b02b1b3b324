import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.errors import ParamsError
from pipeline.models import ARCHITECTURES, build

WINDOW = (4, 16, 16)
LIMITS = {"vgg_lstm": 5.5e6, "resnet_lstm": 0.77e6, "r2plus1d": 0.44e6, "csn": 0.5e6}
each = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request):
    return build(request.param, input_shape=(*WINDOW, 3), classes=3)


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(0).uniform(0, 255, (6, *WINDOW, 3)).astype(np.float32)


def test_the_table_is_read_without_keras():
    code = "import sys, pipeline.params, pipeline.models; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@each
def test_a_network_is_named_as_its_row(architecture):
    assert build(architecture, input_shape=(*WINDOW, 3), classes=3).name == architecture


def test_gives_float32_probabilities(model, windows):
    probabilities = model.predict_on_batch(windows)
    assert probabilities.shape == (6, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_saved_networks_load_without_this_repository(windows, tmp_path):
    np.save(tmp_path / "windows.npy", windows)
    for name in ARCHITECTURES:
        network = build(name, input_shape=(*WINDOW, 3), classes=3)
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network.predict_on_batch(windows))
    code = (
        "import importlib.util, keras, numpy, pathlib\n"
        "assert importlib.util.find_spec('pipeline') is None\n"
        "for path in pathlib.Path().glob('*.keras'):\n"
        "    outputs = keras.saving.load_model(path)(numpy.load('windows.npy'))\n"
        "    numpy.testing.assert_allclose(outputs, numpy.load(path.stem + '.npy'), atol=1e-5)\n"
        "    print(path.stem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert sorted(done.stdout.split()) == sorted(ARCHITECTURES), done.stderr


def test_gradient_steps_lower_the_loss(model, windows):
    trained = keras.models.clone_model(model)
    optimizer = keras.optimizers.Adam(1e-3)
    losses = [gradient_step(trained, optimizer, windows, np.arange(6) % 3) for _ in range(6)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def gradient_step(model, optimizer, x, labels):
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(labels, model(x, training=True))
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return float(tf.reduce_mean(loss))


@pytest.mark.parametrize(("architecture", "limit"), LIMITS.items())
def test_parameters_within_the_limit(architecture, limit):
    model = build(architecture, input_shape=(16, 96, 96, 3), classes=9)
    assert model.count_params() <= limit


@each
def test_sees_the_order_of_frames(architecture, windows):
    model = build(architecture, input_shape=(*WINDOW, 3), classes=3)
    ahead, back = model.predict_on_batch(windows), model.predict_on_batch(windows[:, ::-1])
    assert np.abs(ahead - back).max() > 1e-6


@each
def test_takes_flow_also_as_the_first_network_of_a_process(architecture):
    """Keras numbers layers by process: in a later network, names that clash may not."""
    keras.backend.clear_session()
    model = build(architecture, input_shape=(*WINDOW, 2), classes=3, stream="flow")
    assert model.predict_on_batch(np.zeros((1, *WINDOW, 2), np.float32)).shape == (1, 3)


def test_same_seed_same_weights():
    first, same, other = (
        build("csn", input_shape=(*WINDOW, 3), classes=3, seed=seed) for seed in (1, 1, 2)
    )
    equal = [
        np.array_equal(*pair) for pair in zip(first.get_weights(), same.get_weights(), strict=True)
    ]
    assert all(equal)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def pretrained(tmp_path, **given):
    """A CNN+LSTM on weights in a file, as ImageNet's would be."""
    weights = tmp_path / "weights.h5"
    shape = {"input_shape": (32, 32, 3), "alpha": 0.25, "include_top": False}
    keras.applications.MobileNet(**shape, weights=None).save(weights)
    model = build("vgg_lstm", input_shape=(4, 32, 32, 3), classes=3, backbone=str(weights), **given)
    return model, keras.models.load_model(weights, compile=False)


def test_a_backbone_brings_its_weights_and_keeps_them(tmp_path):
    model, backbone = pretrained(tmp_path)
    layers = {variable.path.partition("/")[0] for variable in model.trainable_variables}
    own = {"conv2d", "batch", "lstm", "probabilities"}  # MobileNet's are conv1, conv_dw_1, …
    assert {layer.partition("_")[0] for layer in layers} == own
    name = "conv_pw_3"
    np.testing.assert_array_equal(
        model.get_layer(name).kernel.numpy(), backbone.get_layer(name).kernel.numpy()
    )


def test_a_backbone_is_trained_along_if_asked(tmp_path):
    model, _ = pretrained(tmp_path, fine_tune=True)
    assert model.get_layer("conv_pw_3").trainable
    assert not model.get_layer("conv_pw_3_bn").trainable


def test_a_backbone_that_is_not_a_weight_file_is_an_error(tmp_path):
    (tmp_path / "text.h5").write_text("not weights")
    for name, said in (
        ("mobilnet", "a file of weights or one of"),
        (str(tmp_path / "text.h5"), "does not hold"),
    ):
        with pytest.raises(ParamsError, match=said):
            build("vgg_lstm", input_shape=(4, 32, 32, 3), classes=3, backbone=name)


@each
def test_weights_serve_windows_of_any_length(architecture):
    short, long = (build(architecture, input_shape=(t, 16, 16, 3), classes=3) for t in (4, 8))
    long.set_weights(short.get_weights())
    assert long.predict_on_batch(np.zeros((1, 8, 16, 16, 3), np.float32)).shape == (1, 3)
    assert all(
        np.array_equal(*pair) for pair in zip(short.get_weights(), long.get_weights(), strict=True)
    )
