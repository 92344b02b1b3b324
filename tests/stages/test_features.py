"""The stage features: a trained model, a file, or neither."""

import json
from pathlib import Path

import pytest

from pipeline.params import load_params
from pipeline.paths import FEATURES, TRAIN
from pipeline.stages import features
from pipeline.style.features import load_features

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the stage in a folder of trained models; the file that it leaves."""
    monkeypatch.chdir(tmp_path)
    TRAIN.mkdir(parents=True)
    committed = load_params(ROOT / "params.yaml")

    def run_with(source=None):
        given = {} if source is None else {"features": source}
        features.run(
            committed.model_copy(update={"stylize": committed.stylize.model_copy(update=given)})
        )
        (path,) = FEATURES.iterdir()
        return path

    return run_with


def train(name, **record):
    record = {"backbone": "scratch", **record}
    (TRAIN / name).mkdir()
    (TRAIN / name / "model.keras").write_text(name)
    (TRAIN / name / "record.json").write_text(json.dumps(record), encoding="utf-8")


def test_the_first_vgg_lstm_of_the_rgb_stream_is_taken(run):
    train("a", architecture="csn", stream="rgb")
    train("b", architecture="vgg_lstm", stream="flow")
    train("c", architecture="vgg_lstm", stream="rgb", backbone="imagenet")
    train("d", architecture="vgg_lstm", stream="rgb")
    train("e", architecture="vgg_lstm", stream="rgb")
    assert run().read_text() == "d"


def test_a_file_keeps_its_name_and_with_it_its_kind(run):
    Path("vgg19.h5").write_text("weights")
    assert (run("vgg19.h5").name, run("vgg19.h5").read_text()) == ("vgg19.h5", "weights")


def test_without_such_a_model_an_untrained_one_serves(run, caplog):
    train("a", architecture="csn", stream="rgb")
    assert len(load_features(run()).network.outputs) == 4
    assert "untrained" in caplog.text
