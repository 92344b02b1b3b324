"""What `classify` costs, and how often it agrees with `evaluate`.

`python -m benchmarks.classify WORK` takes a work tree whose models are evaluated and exported. It
writes classify.json beside this file: seconds to the first answer; how fast long films are
classified, and in how much memory; and for each model, how often its verdict on a test clip is
evaluation's. The films are made once, of the test clips, in WORK/.state.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from pipeline.dataset.catalogue import kept, read_catalogue
from pipeline.evaluation.predictions import read_predictions
from pipeline.files import written_aside
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.paths import CATALOGUE, EVALUATE, EXPORT, STATE
from pipeline.video.decode import open_video

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
STARTS = 5  # of the command, for the time to the first answer
MINUTES = (1, 10, 60)  # of film
RATE, WIDTH, HEIGHT = 25, 320, 240
log = logging.getLogger("benchmarks.classify")


class Run(NamedTuple):
    """A run of the command."""

    seconds: float
    megabytes: float  # of memory, at its peak


def main() -> None:
    """Measure all, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", default="csn-rgb", help="the one that is timed")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work = options.work.absolute()
    rows = kept(read_catalogue(work / CATALOGUE)).to_pylist()
    clips = {row["clip"]: work / row["path"] for row in rows if row["split"] == "test"}
    bundle = work / EXPORT / options.model
    result = {
        "model": options.model,
        "first_answer_seconds": first_answer(bundle, next(iter(clips.values()))),
        "films": films(bundle, list(clips.values()), work / STATE / "films"),
        "test_clips": len(clips),
        "agreement": {
            folder.name: agreement(work / EVALUATE / folder.name, folder, clips)
            for folder in sorted((work / EXPORT).iterdir())
        },
    }
    # Last, since TensorFlow comes with it, and would count as memory of the commands.
    from pipeline.training.hardware import hardware

    result["hardware"] = hardware()
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def first_answer(bundle: Path, clip: Path) -> float:
    """Seconds from the command to the answer on a clip, the median of a few starts."""
    return round(statistics.median(timed(bundle, clip).seconds for _ in range(STARTS)), 2)


def films(bundle: Path, clips: Sequence[Path], folder: Path) -> list[dict[str, float]]:
    """How fast films of each length are classified, and what memory that takes."""
    measured = []
    for minutes in MINUTES:
        film = folder / f"{minutes}.mp4"
        if not film.exists():
            write_film(film, clips, seconds=60 * minutes)
        run = timed(bundle, film)
        measured.append(
            {
                "minutes": minutes,
                "times_real_time": round(60 * minutes / run.seconds, 1),
                "megabytes": round(run.megabytes),
            }
        )
        log.info("%s", measured[-1])
    return measured


def timed(bundle: Path, video: Path) -> Run:
    """Run the command on one video."""
    command = [sys.executable, "-m", "pipeline", "classify", str(video), "--model", str(bundle)]
    start = time.perf_counter()
    with subprocess.Popen([*command, "--json"], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed")
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1024)


def write_film(path: Path, clips: Sequence[Path], *, seconds: float) -> None:
    """Join the clips to a film, over and over until it is long enough."""
    with written_aside(path) as aside, av.open(str(aside), "w", format="mp4") as output:
        stream = output.add_stream("libx264", RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, frame in enumerate(islice(_frames(clips), round(seconds * RATE))):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def _frames(clips: Sequence[Path]) -> Iterator[av.VideoFrame]:
    for clip in cycle(clips):
        with open_video(clip) as video:
            for shown in video.frames():
                yield shown.frame.reformat(WIDTH, HEIGHT, "yuv420p")


def agreement(evaluated: Path, bundle: Path, clips: dict[str, Path]) -> dict[str, float]:
    """How `classify` and `evaluate` compare on the test clips.

    `same_verdict` is over all clips. Those that fit a record have evaluation's windows, whose
    probabilities, uncalibrated, may differ by at most `largest_difference`.
    """
    windows = read_predictions(evaluated / "predictions.parquet")
    verdicts = windows.by_clip()
    classifier = Classifier.load([bundle], threads=os.cpu_count() or 1)
    temperature = classifier.networks[0].card.calibration.temperature
    fitting = classifier.sampling.max_frames / classifier.sampling.fps
    same, differences = [], [0.0]
    for clip, path in clips.items():
        answer = classify_video(classifier, path)
        found = answer.classes[int(answer.whole.probabilities.argmax())]
        same.append(found == verdicts.predicted_class(clip))
        expected = windows.probabilities[windows.clips == clip]
        if answer.seconds <= fitting:
            calibrated = np.stack([each.judgement.probabilities for each in answer.windows])
            differences.append(float(np.abs(raw(calibrated, temperature) - expected).max()))
    found = {"same_verdict": float(np.mean(same)), "largest_difference": max(differences)}
    log.info("%s: %s", bundle.name, found)
    return found


def raw(calibrated: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities as they were before the temperature."""
    powers = calibrated.astype(np.float64) ** temperature
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


if __name__ == "__main__":
    main()
