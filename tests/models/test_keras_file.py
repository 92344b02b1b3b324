"""Keras files by strangers: no code of theirs runs, nothing else is read, memory is bounded."""

import json
import os
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

from pipeline.models.keras_file import read_network


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An honest file."""
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    path = tmp_path_factory.mktemp("plain") / "model.keras"
    network.save(path)
    return path


def rewritten(plain, path, **changes):
    """A copy of the file at `path`, in which functions changed members."""
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, change in changes.items():
        member = {"config": "config.json", "weights": "model.weights.h5"}[name]
        members[member] = change(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_layer(layer):
    """A change of the config: its layer is another one."""

    def change(content):
        config = json.loads(content)
        config["config"]["layers"][1] = {"registered_name": None, "build_config": None, **layer}
        return json.dumps(config).encode()

    return change


def with_kernel(tmp_path, **kernel):
    """A change of the weights: the layer's kernel is another data set."""

    def change(content):
        path = tmp_path / "weights.h5"
        path.write_bytes(content)
        with h5py.File(path, "a") as file:
            variables = file["layers/dense/vars"]
            del variables["0"]
            if link := kernel.get("link"):
                variables["0"] = link
            else:
                variables.create_dataset("0", dtype="f4", **kernel)
        return path.read_bytes()

    return change


def test_an_honest_file_is_read(plain):
    network = read_network(plain)
    assert network.count_params() == 15
    assert not network.compiled


def test_a_lambda_does_not_run(tmp_path):
    mark = tmp_path / "mark"
    name = str(mark)
    layer = keras.layers.Lambda(lambda x: (os.makedirs(name, exist_ok=True), x)[1])  # noqa: PTH103
    keras.Sequential([keras.Input((4,)), layer]).save(tmp_path / "model.keras")
    mark.rmdir()
    with pytest.raises(ValueError, match="Lambda"):
        read_network(tmp_path / "model.keras")
    assert not mark.exists()


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": {"command": "exit"}, "name": "x"},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["false"]}},
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {
                "units": 3,
                "activation": {
                    "module": "builtins",
                    "class_name": "function",
                    "config": "exec",
                    "registered_name": "function",
                },
            },
        },
        {
            "module": "keras.layers",
            "class_name": "StringLookup",
            "config": {"name": "words", "vocabulary": "/etc/passwd"},
        },
    ],
    ids=["os.system", "Popen", "exec", "vocabulary"],
)
def test_a_config_names_no_code_and_no_file(plain, tmp_path, layer):
    path = rewritten(plain, tmp_path / "model.keras", config=with_layer(layer))
    with pytest.raises(ValueError, match="cannot be read as a Keras model"):
        read_network(path)


def test_weights_do_not_come_from_other_files(plain, tmp_path):
    secret, other = tmp_path / "secret", tmp_path / "other.h5"
    secret.write_bytes(bytes(48))
    with h5py.File(other, "w") as file:
        file["x"] = np.ones((4, 3), "f4")
    ways = {
        "external Dataset": {"shape": (4, 3), "external": [(str(secret), 0, 48)]},
        "ExternalLink": {"link": h5py.ExternalLink(str(other), "/x")},
    }
    for message, kernel in ways.items():
        change = with_kernel(tmp_path, **kernel)
        path = rewritten(plain, tmp_path / "model.keras", weights=change)
        with pytest.raises(ValueError, match=message):
            read_network(path)


def test_neither_config_nor_weights_may_ask_for_more_memory_than_the_file_brings(plain, tmp_path):
    path = tmp_path / "model.keras"
    huge = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1 << 33}}
    with pytest.raises(ValueError, match="need 171798691840 bytes of weights, and it holds"):
        read_network(rewritten(plain, path, config=with_layer(huge)))
    kernel = with_kernel(tmp_path, shape=(1 << 16, 1 << 16), chunks=(64, 64), compression="gzip")
    with pytest.raises(ValueError, match="bomb"):
        read_network(rewritten(plain, path, weights=kernel))
    with pytest.raises(ValueError, match=r"it would unpack \d+ bytes to"):
        read_network(rewritten(plain, path, weights=lambda content: bytes(10_000_000)))
    with pytest.raises(ValueError, match=r"it would unpack \d+ bytes to"):
        read_network(rewritten(plain, path, config=lambda content: content + b" " * (1 << 25)))


def test_a_pickle_is_not_a_model(tmp_path):
    mark = tmp_path / "mark"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    path = tmp_path / "model.keras"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ValueError, match="not a zip file"):
        read_network(path)
    assert not mark.exists()


def test_nothing_else_may_lie_in_the_archive(plain, tmp_path):
    path = rewritten(plain, tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../evil", "evil")
    with pytest.raises(ValueError, match=r"it holds assets/\.\./\.\./evil"):
        read_network(path)
