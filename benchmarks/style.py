"""What style transfer claims, on real clips: `python -m benchmarks.style NETWORKS`.

NETWORKS is a folder as data/style, of networks that the stage `style` trained. Writes style.json
beside this file: how steady their videos are against the same frames stylized one by one, frames a
second, how CycleGAN's errors went. And a contact sheet, style.jpg: frames of five clips by every
network, each `fast` one above `nst` with the same style image. Takes twenty minutes.
"""

import argparse
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import cv2
import numpy as np

from pipeline.params import Stylize, load_params
from pipeline.report.curves import read_history
from pipeline.style.features import Features, load_features
from pipeline.style.feedforward import FeedForward, load_generator
from pipeline.style.images import read_picture, shrink
from pipeline.style.metrics import evaluate_video
from pipeline.style.nst import NeuralStyle
from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import to_image
from pipeline.training.hardware import hardware
from pipeline.video.decode import Picture, first_frames
from pipeline.video.pictures import contact_sheet

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
SHEET = Path(__file__).with_suffix(".jpg")
SHOWN = slice(None, None, 2)  # clips of the sheet
log = logging.getLogger("benchmarks.style")


def main() -> None:
    """Measure all, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = load_params(ROOT / "params.yaml").stylize
    settings = settings.model_copy(update={"features": str(options.features)})
    paths = sorted(options.clips.rglob("*_c02.avi"))
    chosen = np.linspace(0, len(paths) - 1, options.number).astype(int)
    clips = [first_frames(paths[index], options.frames) for index in chosen]
    features = load_features(options.features)
    result: dict[str, Any] = {"clips": len(clips), "frames": options.frames, "networks": {}}
    sheet = [clip[-1] for clip in clips[SHOWN]]
    for folder in sorted(path.parent for path in options.networks.glob("*/model.keras")):
        result["networks"][folder.name], pictures = _measured(folder, clips, features, settings)
        sheet += pictures
        log.info("%s %s", folder.name, result["networks"][folder.name])
    result["hardware"] = hardware()
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    drawn = contact_sheet([_fitted(each) for each in sheet], columns=len(clips[SHOWN]))
    cv2.imwrite(str(SHEET), drawn, [cv2.IMWRITE_JPEG_QUALITY, 82])


def _measured(
    folder: Path, clips: list[list[Picture]], features: Features, settings: Stylize
) -> tuple[dict[str, Any], list[Picture]]:
    """Measurements of a network, and its pictures for the sheet."""
    stylizer = FeedForward(load_generator(folder / "model.keras"), blend=settings.blend)
    speed = _speed(stylizer, clips[0])
    videos = [list(stylizer.video(iter(clip))) for clip in clips]
    pictures = [video[-1] for video in videos[SHOWN]]
    style, trained = read_picture(folder / "style.png"), _trained(folder)
    if trained["method"] == "fast":
        by_nst = NeuralStyle(style, settings, Path(settings.features))
        pictures += [by_nst.picture(clip[-1]) for clip in clips[SHOWN]]
    loss = PerceptualLoss(features, to_image(shrink(style, settings.size)))
    return {**trained, **speed, **_steadiness(stylizer, clips, videos, loss)}, pictures


def _trained(folder: Path) -> dict[str, Any]:
    """Method, size and time; of a CycleGAN, its held-out errors at the start and at the end."""
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    known = {key: record[key] for key in ("method", "parameters", "size_bytes", "train_seconds")}
    first, *_, last = read_history(folder / "history.csv")
    errors = [name for name in first if name.startswith("val_")]
    return known | {name: [round(row[name], 5) for row in (first, last)] for name in errors}


def _speed(stylizer: FeedForward, clip: list[Picture]) -> dict[str, float]:
    """With temporal consistency; CPU time tells more than the clock where others compute too."""
    next(stylizer.video(iter(clip)))  # to trace
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in stylizer.video(iter(clip)):
        pass
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    height, width = clip[0].shape[:2]
    return {
        "width": width,
        "height": height,
        "frames_a_second": round(len(clip) / wall, 2),
        "cpu_seconds_a_frame": round(cpu / len(clip), 4),
    }


def _steadiness(
    stylizer: FeedForward,
    clips: list[list[Picture]],
    videos: list[list[Picture]],
    loss: PerceptualLoss,
) -> dict[str, Any]:
    """Each video against the same frames stylized one by one."""
    singles = [[stylizer.picture(frame) for frame in clip] for clip in clips]
    metrics = {
        "video": [asdict(evaluate_video(*pair, loss)) for pair in zip(clips, videos, strict=True)],
        "per_frame": [
            asdict(evaluate_video(*pair, loss)) for pair in zip(clips, singles, strict=True)
        ],
    }
    means = {
        name: {key: round(mean(row[key] for row in rows), 5) for key in rows[0]}
        for name, rows in metrics.items()
    }
    ratios = {
        f"{key}_ratio": [
            round(video[key] / alone[key], 3)
            for video, alone in zip(*metrics.values(), strict=True)
        ]
        for key in ("warping_error", "gram_distance")
    }
    return {**means, **ratios}


def _fitted(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA))


def _options() -> argparse.Namespace:
    shared = ROOT.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", type=Path, help="a folder of trained networks, as data/style")
    parser.add_argument("--clips", type=Path, default=shared / "ucf101/UCF-101")
    parser.add_argument(
        "--features", type=Path, default=shared / "weights/vgg19_imagenet_blocks1-3.h5"
    )
    parser.add_argument("--number", type=int, default=10, help="clips")
    parser.add_argument("--frames", type=int, default=8, help="of each clip, from its start")
    return parser.parse_args()


if __name__ == "__main__":
    main()
