"""Bundles classify: as evaluation does, and not at all where they are not whole."""

import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pipeline.errors import BundleError, ClipError
from pipeline.evaluation.predictions import fuse
from pipeline.inference.card import read_card
from pipeline.inference.classifier import Classifier, Network, classify_video
from pipeline.inference.windows import rgb_steps
from tests.inference.example import CLASSES, NEVER, SAMPLING, WINDOWS, network


@pytest.fixture(scope="module")
def evaluated(shards, clips, bundles):
    """What evaluation says of the clips' windows by stream, with the networks of the bundles."""
    import tensorflow as tf

    from pipeline.evaluation.predict import predict
    from pipeline.shards.loader import evaluation_windows

    def evaluate(stream):
        spec = read_card(bundles / stream).window
        files = sorted((shards / "placed/tfrecord").glob(f"*.{stream}.tfrecord"))
        labels = {clip.clip: 0 for clip in clips}
        windows = evaluation_windows(files, labels, spec, windows=WINDOWS, batch_size=1)
        model = network(spec)
        groups = dict.fromkeys(labels, "g")
        infer = tf.function(lambda x: tf.nn.softmax(model(x)["logits"]))
        return predict(infer, windows, classes=CLASSES, groups=groups)

    return {stream: evaluate(stream) for stream in ("rgb", "flow")}


@pytest.mark.parametrize("streams", [["rgb"], ["flow"], ["rgb", "flow"]], ids="+".join)
def test_a_clip_has_the_very_probabilities_of_evaluation(evaluated, clips, bundles, streams):
    classifier = Classifier.load([bundles / stream for stream in streams])
    expected = evaluated[streams[0]]
    if len(streams) == 2:
        expected = fuse(expected, evaluated["flow"])
    for clip in clips:
        answer = classify_video(classifier, clip.path)
        found = np.stack([window.judgement.probabilities for window in answer.windows])
        rows = expected.probabilities[expected.clips == clip.clip]
        np.testing.assert_allclose(found, rows, rtol=0, atol=1e-5)
        whole = answer.whole.probabilities
        np.testing.assert_allclose(whole, rows.mean(axis=0), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def frames():
    shape = (40, SAMPLING.height, SAMPLING.width, 3)
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8)


@pytest.fixture
def copied(bundles, tmp_path):
    """A bundle that a test may break."""
    return shutil.copytree(bundles / "rgb", tmp_path / "rgb")


def test_frames_that_are_there_already_are_classified(bundles, frames):
    answer = Classifier.load([bundles / "rgb"]).answer(rgb_steps(frames))
    assert answer.classes == CLASSES
    assert answer.seconds == 5
    assert answer.windows[0].start == 0
    assert answer.windows[-1].end == pytest.approx(5, abs=0.5)
    assert answer.whole.probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_the_whole_has_the_calibrated_mean_probabilities_of_the_windows(copied, frames):
    rewrite_card(copied, calibration=replace(read_card(copied).calibration, temperature=2.0))
    net = Network(copied)
    classifier = Classifier([net])
    outputs = [net.outputs(window) for window in classifier.coverage.cut(rgb_steps(frames))]
    mean = np.mean([np.exp(x.logits[0]) / np.exp(x.logits[0]).sum() for x in outputs], axis=0)
    answer = classifier.answer(rgb_steps(frames))
    expected = np.sqrt(mean) / np.sqrt(mean).sum()
    np.testing.assert_allclose(answer.whole.probabilities, expected, atol=1e-6)


def rewrite_card(folder, **changes):
    replace(read_card(folder), **changes).write(folder)


def test_probabilities_are_those_of_the_card_s_temperature(copied, frames):
    sure = Classifier.load([copied]).answer(rgb_steps(frames))
    rewrite_card(copied, calibration=replace(read_card(copied).calibration, temperature=50.0))
    unsure = Classifier.load([copied]).answer(rgb_steps(frames))
    assert unsure.whole.probabilities.max() < sure.whole.probabilities.max()
    assert unsure.whole.probabilities.argmax() == sure.whole.probabilities.argmax()


def test_a_video_beyond_the_threshold_is_none_of_the_classes(copied, frames):
    for threshold, stranger in ((NEVER, False), (-NEVER, True)):
        rewrite_card(copied, rejection=replace(read_card(copied).rejection, threshold=threshold))
        whole = Classifier.load([copied]).answer(rgb_steps(frames)).whole
        assert (whole.strangeness > 0) == stranger


def test_a_window_is_as_strange_as_the_windows_around_it_are_together(copied, frames):
    rewrite_card(copied, rejection=replace(read_card(copied).rejection, threshold=0.0))
    classifier = Classifier.load([copied])
    clip = classifier.answer(rgb_steps(frames[: classifier.coverage.limit]))
    for window in clip.windows:
        assert window.judgement.strangeness == pytest.approx(clip.whole.strangeness, rel=1e-4)
    black = np.zeros_like(frames)
    alone = classifier.answer(rgb_steps(black)).whole.strangeness
    first, *_, last = classifier.answer(rgb_steps(np.concatenate([frames, black]))).windows
    assert last.judgement.strangeness == pytest.approx(alone, rel=1e-3)
    assert first.judgement.strangeness != pytest.approx(alone, rel=1e-1)


def test_a_pair_rejects_what_both_reject(copied, bundles, frames):
    rewrite_card(copied, rejection=replace(read_card(copied).rejection, threshold=-NEVER))
    strict, mild = Network(copied), Network(bundles / "rgb")
    assert Classifier([strict, mild]).answer(rgb_steps(frames)).whole.strangeness < 0
    assert Classifier([strict, strict]).answer(rgb_steps(frames)).whole.strangeness > 0


def test_sets_grow_with_their_coverage_and_hold_the_likeliest_class(bundles, frames):
    answer = Classifier.load([bundles / "rgb"]).answer(rgb_steps(frames))
    best = answer.classes[answer.whole.probabilities.argmax()]
    ascending = [set(answer.sets[coverage]) for coverage in sorted(answer.sets)]
    assert all(best in each for each in ascending)
    assert all(less <= more for less, more in pairwise(ascending))


def test_no_frames_are_an_error(bundles):
    with pytest.raises(ClipError, match="none of its frames"):
        Classifier.load([bundles / "rgb"]).answer(iter(()))


def test_a_text_file_is_an_error(bundles, tmp_path):
    (tmp_path / "notes.avi").write_text("not a video")
    with pytest.raises(ClipError, match="begins like no video file"):
        classify_video(Classifier.load([bundles / "rgb"]), tmp_path / "notes.avi")


def test_a_network_that_is_not_the_card_s_is_refused(copied):
    data = bytearray((copied / "float32.tflite").read_bytes())
    data[-1] ^= 1
    (copied / "float32.tflite").write_bytes(data)
    with pytest.raises(BundleError, match=r"is not the file that its card describes"):
        Classifier.load([copied])


@pytest.mark.parametrize("file", ["float32.tflite", "strangers.npz", "card.json"])
def test_a_bundle_that_lacks_a_file_is_refused(copied, file):
    (copied / file).unlink()
    with pytest.raises(BundleError, match=file):
        Classifier.load([copied])


def test_arrays_that_would_run_code_are_refused(copied):
    np.savez(copied / "strangers.npz", features=np.asarray([print], object))
    with pytest.raises(BundleError, match=r"strangers\.npz cannot be read"):
        Classifier.load([copied])


def test_a_form_that_is_not_there_is_refused_with_those_that_are(copied):
    with pytest.raises(BundleError, match="no form 'int8'; it has float32"):
        Classifier.load([copied], form="int8")


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("classes", {"classes": ("a", "b", "c")}),
        ("windows", {"windows": 3}),
        ("sampling", {"sampling": replace(SAMPLING, fps=4.0)}),
    ],
)
def test_two_networks_that_judge_different_things_are_refused(copied, bundles, what, changes):
    rewrite_card(copied, **changes)
    with pytest.raises(BundleError, match=f"their {what} differ"):
        Classifier.load([copied, bundles / "flow"])


def test_a_network_of_other_classes_than_its_card_s_is_refused(copied, frames):
    rewrite_card(copied, classes=("one", "two"))
    with pytest.raises(BundleError, match="3 classes, its card with 2"):
        Classifier.load([copied]).answer(rgb_steps(frames))


def test_a_bundle_of_another_schema_is_refused(copied):
    card = (copied / "card.json").read_text(encoding="utf-8")
    (copied / "card.json").write_text(card.replace('"schema": 1', '"schema": 2'), encoding="utf-8")
    with pytest.raises(BundleError, match="is of schema 2; this version reads 1"):
        Classifier.load([copied])
