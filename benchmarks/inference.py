"""Forms of each network, beside Keras, ONNX Runtime and a peer: `python -m benchmarks.inference`.

TREE is a work tree in which the pipeline has run up to `export` on UCF101's nine classes; the
figures are added to inference.json beside this file. `accuracy` copies what `export` measured on
the test clips, judges dynamic-range int8 (tried, and not part of a bundle) and the peer on the same
clips: minutes, on a machine that may be busy. `timing` takes two to three minutes, on two cores of
which no other program may need any:

    python -m benchmarks.inference timing TREE
"""

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.alone import alone

RESULT = Path(__file__).with_suffix(".json")
SHARED = Path(__file__).parents[2] / "shared"
THREADS = (1, 2)
ROUNDS, CALLS = 12, 5  # of each contestant, in turn
HYBRID = "dynamic range"
WINDOWS = 4  # of a clip, as evaluation has them
# The peer: MoViNet-A0-stream, int8, trained on Kinetics-600; its frames and their rate.
PEER, PEER_SIDE, PEER_FPS = "movinet_a0_stream_int8.tflite", 172, 5
# Classes of UCF101, and what Kinetics-600 calls the nearest of its own.
KINETICS = {
    "ApplyEyeMakeup": "putting on eyeliner",
    "Archery": "archery",
    "BasketballDunk": "dunking basketball",
    "Diving": "springboard diving",
    "HorseRace": "riding or walking with horse",
    "PlayingPiano": "playing piano",
    "PlayingViolin": "playing violin",
    "ShavingBeard": "trimming or shaving beard",
    "Surfing": "surfing water",
}
log = logging.getLogger("benchmarks.inference")


def main() -> None:
    """Measure the part that is asked for, and add it to what was measured before."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    bundles = sorted((options.tree / "data/export").glob("*/card.json"))
    for name in (path.parent.name for path in bundles):
        measure = judged if options.part == "accuracy" else timed
        result.setdefault("networks", {}).setdefault(name, {})[options.part] = alone(
            measure, options.tree, name
        )
        log.info("%s: %s", name, result["networks"][name][options.part])
    measure = peer_judged if options.part == "accuracy" else peer_timed
    result.setdefault("peer", {})[options.part] = alone(measure, options.tree, options.shared)
    if options.part == "timing":
        result["hardware"] = alone(_hardware)
    result["bars"] = bars(result)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result["bars"], indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["accuracy", "timing"])
    parser.add_argument("tree", type=Path, help="a work tree with data/export")
    parser.add_argument("--shared", type=Path, default=SHARED, help="the folder with peers/")
    return parser.parse_args()


def _hardware() -> str:
    from pipeline.training.hardware import hardware

    return hardware()


# Our networks


def judged(tree: Path, name: str) -> dict[str, Any]:
    """Size, accuracy and agreement of each form, as the card states them; and of dynamic range."""
    from pipeline.inference.card import read_card

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with chdir(tree):
        forms = read_card(Path("data/export") / name).forms
        found = {form: asdict(each) for form, each in forms.items()} | {HYBRID: _hybrid(name)}
    return {form: _of_accuracy(each) for form, each in found.items()}


def _of_accuracy(form: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("size_bytes", "clip_accuracy", "video_accuracy", "agreement", "max_difference")
    return {key: form[key] for key in kept}


def _hybrid(name: str) -> dict[str, Any]:
    """Integer weights, float activations: judged as `export` judges its forms."""
    from pipeline.evaluation.predictions import read_predictions
    from pipeline.inference.calibration import probabilities
    from pipeline.inference.forms import judged, predict_forms
    from pipeline.inference.runtime import LiteRT
    from pipeline.params import load_params
    from pipeline.shards.batches import Batches

    params = load_params(Path("params.yaml"))
    batches = Batches(params, name)
    with tempfile.TemporaryDirectory() as folder:
        file = _write_hybrid(Path("data/export") / name / "model.keras", Path(folder))
        runtime = LiteRT(file)
        found = predict_forms(
            {HYBRID: lambda windows: probabilities(runtime(windows).logits, 1.0)},
            batches.evaluation("test", params.evaluate.windows),
            classes=batches.classes,
            groups=batches.groups,
        )
        expected = read_predictions(Path("data/evaluate") / name / "predictions.parquet")
        return asdict(judged(file, found[HYBRID], expected, 0.0))


def _write_hybrid(model: Path, folder: Path) -> Path:
    from pipeline.inference.convert import write_form

    file = folder / "hybrid.tflite"
    write_form(HYBRID, model, file, folder)
    return file


def timed(tree: Path, name: str) -> dict[str, Any]:
    """Milliseconds of one window, by threads and contestant: medians over turns."""
    return {str(threads): alone(_timed, tree, name, threads) for threads in THREADS}


def _timed(tree: Path, name: str, threads: int) -> dict[str, float]:
    import tensorflow as tf

    from pipeline.inference.card import read_card

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    bundle = tree / "data/export" / name
    window = np.random.default_rng(0).uniform(0, 255, read_card(bundle).window.shape)
    with tempfile.TemporaryDirectory() as folder:
        contestants = dict(_contestants(bundle, threads, Path(folder)))
        return in_turns(contestants, window[None].astype(np.float32))


def _contestants(bundle: Path, threads: int, folder: Path) -> Iterator[tuple[str, Any]]:
    import keras

    from pipeline.evaluation.predict import inference
    from pipeline.inference.runtime import LiteRT, Onnx

    network = keras.saving.load_model(bundle / "model.keras", compile=False)
    compiled = inference(network)
    yield "keras", lambda window: compiled(window).numpy()
    yield "keras predict", lambda window: network.predict(window, verbose=0)
    for form in ("float32", "float16", "int8"):
        yield form, LiteRT(bundle / f"{form}.tflite", threads=threads)
    yield HYBRID, LiteRT(_write_hybrid(bundle / "model.keras", folder), threads=threads)
    yield "onnx", Onnx(bundle / "model.onnx", threads=threads)


def in_turns(contestants: Mapping[str, Callable[[Any], Any]], window: Any) -> dict[str, float]:
    """The median milliseconds of each: they take turns, so that a slow minute slows all."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, contestant in contestants.items():
            for _ in range(CALLS):
                started = time.perf_counter()
                contestant(window)
                if turn:  # the first is to warm up
                    times[name].append(time.perf_counter() - started)
    return {name: round(1000 * median(each), 3) for name, each in times.items()}


# The peer


def peer_judged(tree: Path, shared: Path) -> dict[str, Any]:
    """Accuracy of the peer on the test clips, among our classes and among all of its own."""
    labels = (shared / "peers/kinetics600_label_map.txt").read_text(encoding="utf-8").splitlines()
    ours = [labels.index(KINETICS[name]) for name in KINETICS]
    with chdir(tree):
        clips = list(_test_clips())
    peer, right, exact, seconds = Peer(shared, threads=2), 0, 0, 0.0
    for name, path, duration in clips:
        logits = peer.answer(path, duration)
        right += list(KINETICS)[int(logits[ours].argmax())] == name
        exact += labels[int(logits.argmax())] == KINETICS[name]
        seconds += duration
    return {
        "classes": KINETICS,
        "clips": len(clips),
        "seconds": round(seconds, 1),
        "video_accuracy_among_ours": right / len(clips),
        "video_accuracy_among_all_600": exact / len(clips),
        "size_bytes": (shared / "peers" / PEER).stat().st_size,
    }


def _test_clips() -> Iterator[tuple[str, Path, float]]:
    """Class, file and seconds of each clip of the split test."""
    from pipeline.dataset.catalogue import kept, read_catalogue
    from pipeline.dataset.names import path_on_disk
    from pipeline.paths import CATALOGUE

    for row in kept(read_catalogue(CATALOGUE)).to_pylist():
        if row["split"] == "test":
            yield row["class_name"], path_on_disk(row["path"]).resolve(), row["duration"]


class Peer:
    """MoViNet-A0-stream: a frame at a time, each with the states that the last one left."""

    def __init__(self, shared: Path, *, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(shared / "peers" / PEER), num_threads=threads)
        interpreter.allocate_tensors()
        self._run = interpreter.get_signature_runner()
        details = self._run.get_input_details()
        self._states = {
            name: np.zeros(each["shape"], each["dtype"])
            for name, each in details.items()
            if name != "image"
        }

    def answer(self, path: Path, duration: float) -> np.ndarray:
        """Logits after the last frame of a video."""
        from pipeline.video.decode import open_video, sample_times, sampled

        times = sample_times(duration, rate=PEER_FPS, limit=1000)
        states, logits = self._states, np.zeros(0)
        with open_video(path) as video:
            size = {"width": PEER_SIDE, "height": PEER_SIDE}
            for _, picture in sampled(video, video.frames(), times, **size):
                logits, states = self.step(picture, states)
        return logits

    def step(self, picture: Any, states: Any = None) -> tuple[np.ndarray, Any]:
        """The logits after one more frame, and the states for the next."""
        image = np.asarray(picture, np.float32)[None, None] / 255
        outputs = self._run(image=image, **(states or self._states))
        return outputs.pop("logits")[0], outputs


def peer_timed(tree: Path, shared: Path) -> dict[str, Any]:
    """Milliseconds of one frame, and of a second of video, by threads."""
    frame = np.random.default_rng(0).integers(0, 255, (PEER_SIDE, PEER_SIDE, 3))
    found = {}
    for threads in THREADS:
        peer = Peer(shared, threads=threads)
        milliseconds = in_turns({"frame": peer.step}, frame)["frame"]
        second = round(PEER_FPS * milliseconds, 3)
        found[str(threads)] = {"frame": milliseconds, "second_of_video": second}
    return found


# Bars


def bars(result: Mapping[str, Any]) -> dict[str, Any]:
    """What was to be reached, as far as it is measured."""
    accuracy, timing = _part(result, "accuracy"), _part(result, "timing")
    found: dict[str, Any] = {}
    if accuracy:
        found["largest difference of float32 and ONNX (to reach: 1e-5)"] = max(
            each[form]["max_difference"]
            for each in accuracy.values()
            for form in ("float32", "onnx")
        )
        found["points that int8 loses (to reach: 1)"] = {
            name: round(100 * _lost(each), 2) for name, each in accuracy.items()
        }
        found["int8's share of float32's size (to reach: 1/3)"] = {
            name: round(each["int8"]["size_bytes"] / each["float32"]["size_bytes"], 3)
            for name, each in accuracy.items()
        }
    if timing:
        found["int8's share of the time of Keras, one thread (to reach: 0.4; csn: 0.5)"] = {
            name: round(each["1"]["int8"] / each["1"]["keras"], 3) for name, each in timing.items()
        }
    return found | _per_second(result)


def _part(result: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {name: each[part] for name, each in result["networks"].items() if part in each}


def _lost(forms: Mapping[str, Any]) -> float:
    return float(forms["keras"]["video_accuracy"] - forms["int8"]["video_accuracy"])


def _per_second(result: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds a second of video, one thread: ours sees WINDOWS windows of each clip."""
    peer = result.get("peer", {})
    if "timing" not in peer or "accuracy" not in peer:
        return {}
    windows = WINDOWS * peer["accuracy"]["clips"] / peer["accuracy"]["seconds"]
    ours = {
        name: round(windows * each["1"]["int8"], 3)
        for name, each in _part(result, "timing").items()
    }
    return {
        "milliseconds for a second of video": ours
        | {"peer": peer["timing"]["1"]["second_of_video"]}
    }


if __name__ == "__main__":
    main()
