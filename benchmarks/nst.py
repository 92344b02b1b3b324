"""Neural style transfer's cost: `python -m benchmarks.nst --torch-python PYTHON`, quiet machine.

PYTHON is that of an environment with benchmarks/requirements-torch.txt. Writes nst.json beside this
file: losses with gradients a second at 256 pixels beside the same in PyTorch, by turns, on the same
cores; and what a frame of a video costs beside stylizing it from scratch to the same loss.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.optimize import OptimizeResult

from benchmarks.training import LAYOUTS, THREADS, Rates, Torch, compared
from pipeline.params import load_params
from pipeline.style.features import Features, load_features
from pipeline.style.images import read_picture, shrink
from pipeline.style.nst import NeuralStyle
from pipeline.style.temporal import blend, to_image, warped_prior
from pipeline.style.transfer import Flat, Image, Objective, Prior, StyleTransfer, lbfgs
from pipeline.training.hardware import hardware
from pipeline.video.decode import Picture, first_frames

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
RESULT = Path(__file__).with_suffix(".json")
TOLERANCE = 1e-3  # of the loss, and of the gradient's norm
CLIPS = [  # fast motion, slow motion, a still camera
    "HorseRace/v_HorseRace_g01_c02.avi",
    "Surfing/v_Surfing_g05_c02.avi",
    "PlayingViolin/v_PlayingViolin_g05_c02.avi",
]
MAX_STEPS = 600  # from scratch
log = logging.getLogger("benchmarks.nst")


def main() -> None:
    """Measure both, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = load_params(ROOT / "params.yaml").stylize
    clips = {name: _frames(options.clips / name, options.frames, settings.size) for name in CLIPS}
    style = read_picture(options.style)
    stylizer = NeuralStyle(style, settings, options.features)
    torch = Torch(options.torch_python, "benchmarks.torch_nst")
    pictures = _pictures(clips[CLIPS[0]], to_image(shrink(style, settings.size)))
    result = {
        "hardware": hardware(),
        "size": settings.size,
        "tensorflow": tf.__version__,
        "torch": torch.ask("version", threads=THREADS),
        **beside_torch(stylizer.transfer, torch, pictures, options),
        "steps": {"first": settings.steps, "next": settings.steps_per_frame},
        "videos": {name: video(stylizer, frames) for name, frames in clips.items()},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


def _frames(clip: Path, number: int, size: int) -> list[Picture]:
    return [shrink(frame, size) for frame in first_frames(clip, number)]


# Steps a second


def beside_torch(
    transfer: StyleTransfer, torch: Torch, pictures: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Losses with gradients a second, by turns; first, that both sides say the same."""
    prior = Prior(pictures["warped"], pictures["reliable"][..., 0])
    objective = transfer.objective(pictures["content"], prior)
    flat = pictures["picture"].astype(np.float64).ravel()
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "all.npz")
        exported = _exported(load_features(options.features))
        np.savez(file, allow_pickle=False, **pictures, **exported)
        for layout in LAYOUTS:
            torch.ask("prepare", layout=layout, file=file, weights=vars(transfer.weights))
        differences = _differences(*objective(flat), torch, Path(folder) / "gradient.npy")
    rates: Rates = {"ours, float32": [], **{f"torch, float32, {each}": [] for each in LAYOUTS}}
    for _ in range(options.rounds):
        rates["ours, float32"].append(options.steps / _seconds(objective, flat, options.steps))
        for layout in LAYOUTS:
            seconds = torch.ask("steps", layout=layout, count=options.steps)
            rates[f"torch, float32, {layout}"].append(options.steps / seconds)
        log.info("%s", {name: round(values[-1], 2) for name, values in rates.items()})
    return {**differences, **compared(rates, "steps_a_second")}


def _pictures(frames: list[Picture], style: Image) -> dict[str, Any]:
    """What a frame within a video starts from, and its targets."""
    before, frame = frames[:2]
    prior = warped_prior(before, frame, to_image(before))
    assert prior, "the clip begins with a cut; take another"
    image = to_image(frame)
    return {
        "picture": blend(image, prior, 0.5),
        "content": image,
        "style": style,
        "warped": prior.warped,
        "reliable": prior.reliable[..., None],
    }


def _exported(features: Features) -> dict[str, Any]:
    """VGG19's kernels and biases by LAYER/KIND."""
    return {
        f"{layer.name}/{kind}": value
        for layer in features.network.layers
        for kind, value in zip(("kernel", "bias"), layer.get_weights(), strict=False)
    }


def _differences(loss: float, gradient: Flat, torch: Torch, file: Path) -> dict[str, float]:
    """By what share loss and gradient of the two sides differ."""
    their_loss = torch.ask("gradient", layout=LAYOUTS[0], file=str(file))
    gap = np.linalg.norm(gradient - np.load(file).ravel()) / np.linalg.norm(gradient)
    found = {
        "loss_differs_by": abs(loss - their_loss) / loss,
        "gradient_differs_by": float(gap),
    }
    if max(found.values()) > TOLERANCE:
        raise SystemExit(f"the two sides compute different things: {found}")
    return found


def _seconds(objective: Objective, flat: Flat, steps: int) -> float:
    started = time.perf_counter()
    for _ in range(steps):
        objective(flat)
    return time.perf_counter() - started


# A frame of a video


def video(stylizer: NeuralStyle, frames: list[Picture]) -> dict[str, Any]:
    """Processor time a frame that follows another, and from scratch until its loss is as small."""
    results = stylizer.video(iter(frames))
    next(results)
    rows = []
    for frame in frames[1:]:
        started = time.process_time()
        stylized = next(results)
        seconds = time.process_time() - started
        steps, scratch = from_scratch(stylizer.transfer, to_image(frame), to_image(stylized))
        rows.append({"video": seconds, "from_scratch": scratch, "steps_from_scratch": steps})
        log.info("%s", rows[-1])
    means = {name: round(mean(row[name] for row in rows), 2) for name in rows[0]}
    ratios = [round(row["from_scratch"] / row["video"], 2) for row in rows]
    return {"cpu_seconds_a_frame": means, "ratios": ratios}


def from_scratch(transfer: StyleTransfer, frame: Image, stylized: Image) -> tuple[int, float]:
    """Steps of L-BFGS from the frame itself until the loss is that of `stylized`; processor time.

    The loss is without its temporal part, which a single picture does not have.
    """
    objective = transfer.objective(frame)
    target, _ = objective(stylized.astype(np.float64).ravel())

    def until_reached(intermediate_result: OptimizeResult) -> None:
        if intermediate_result.fun <= target:
            raise StopIteration

    started = time.process_time()
    found = lbfgs(objective, frame, steps=MAX_STEPS, callback=until_reached)
    return int(found.nit), time.process_time() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", type=Path, required=True, help="a python with PyTorch")
    parser.add_argument("--clips", type=Path, default=SHARED / "ucf101/UCF-101")
    parser.add_argument(
        "--style", type=Path, default=SHARED / "styles/paintings/vg_starry_night.jpg"
    )
    parser.add_argument(
        "--features", type=Path, default=SHARED / "weights/vgg19_imagenet_blocks1-3.h5"
    )
    parser.add_argument("--frames", type=int, default=3, help="of each clip")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--steps", type=int, default=10, help="in a turn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
