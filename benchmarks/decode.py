"""Decoding against FFmpeg's own, and what extraction costs: `python -m benchmarks.decode`.

Writes decode.json beside this file. Frames and times of each odd file are compared with those of
the FFmpeg program (`-fps_mode passthrough`); extraction's seconds are divided by those of only
decoding the same clips (OpenCV's `read`, all frames). Takes two minutes on two cores, of which no
other program may need any.
"""

import argparse
import hashlib
import json
import logging
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from benchmarks.extract import Bench
from pipeline.errors import ClipError
from pipeline.params import load_params
from pipeline.video.decode import open_video

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
log = logging.getLogger("benchmarks.decode")


def main() -> None:
    """Measure all, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result: dict[str, Any] = {"against_ffmpeg": {}}
    for folder in ("odd_media", "reports"):
        for path in sorted((options.shared / folder).iterdir()):
            if path.suffix in {".mp4", ".mov", ".mkv", ".webm", ".avi"}:
                result["against_ffmpeg"][f"{folder}/{path.name}"] = against_ffmpeg(path)
    result["extraction"] = extraction(options)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


def against_ffmpeg(path: Path) -> dict[str, Any]:
    """How many frames are FFmpeg's own, in the planes that the decoder gave, and at its times."""
    try:
        with open_video(path) as video:
            ours = [(shown.start, planes(shown.frame)) for shown in video.frames()]
            lost = len(video.losses)
    except ClipError as error:
        return {"refused": str(error)}
    theirs = ffmpeg_frames(path)
    times = ffmpeg_times(path)
    missing = [content for content in theirs if content not in {content for _, content in ours}]
    near = np.abs(np.subtract(sorted(times), [time for time, _ in ours][: len(times)]))
    return {
        "frames": len(ours),
        "frames_of_ffmpeg": len(theirs),
        "equal_frames": len(theirs) - len(missing),
        "in_order": [content for _, content in ours] == theirs,
        "largest_difference_of_times": round(float(near.max()), 6),
        "lost_packets": lost,
    }


def planes(frame: VideoFrame) -> str:
    """Hash of a frame's pixels as decoded, before any conversion."""
    digest = hashlib.md5(usedforsecurity=False)
    for plane, part in zip(frame.planes, _plane_sizes(frame), strict=False):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        digest.update(rows[: part[1], : part[0]].tobytes())
    return digest.hexdigest()


def _plane_sizes(frame: VideoFrame) -> list[tuple[int, int]]:
    """Bytes in a row and rows of each plane; planar layouts only."""
    sizes = dict[int, tuple[int, int]]()
    for part in frame.format.components:
        sizes[part.plane] = (part.width * -(-part.bits // 8), part.height)
    return [sizes[plane] for plane in sorted(sizes)]


def ffmpeg_frames(path: Path) -> list[str]:
    """The frames' hashes by the FFmpeg program, none turned, repeated or dropped."""
    command = ["ffmpeg", "-v", "quiet", "-noautorotate", *_decoder(path), "-i", str(path)]
    command += ["-map", "0:v:0", "-fps_mode", "passthrough", "-autoscale", "0"]
    command += ["-f", "framehash", "-hash", "md5", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def ffmpeg_times(path: Path) -> list[float]:
    """The frames' presentation times by the FFmpeg program, from 0 at the first."""
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0"]
    command += ["-show_entries", "frame=best_effort_timestamp:stream=time_base", "-of", "json"]
    run = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    unit = Fraction(found["streams"][0]["time_base"])
    stamps = [int(frame["best_effort_timestamp"]) for frame in found["frames"]]
    return [float((stamp - min(stamps)) * unit) for stamp in stamps]


def _decoder(path: Path) -> list[str]:
    """FFmpeg's own VP9 decoder leaves transparency out, and so does the comparison without it."""
    return ["-c:v", "libvpx-vp9"] if path.name == "transparent.webm" else []


def extraction(options: argparse.Namespace) -> dict[str, Any]:
    """Extraction's seconds against those of only decoding, side by side."""
    params = load_params(ROOT / "params.yaml")
    paths = sorted((options.shared / "ucf101/UCF-101").rglob("*.avi"))[:: options.every]
    (ROOT / ".state").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".state", prefix="benchmark-") as folder:
        bench = Bench(Path(folder), paths, params.extract, params.machine)
        return {"clips": len(bench.clips), "workers": bench.workers} | bench.against_decoding()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--every", type=int, default=1, help="take every n-th clip")
    return parser.parse_args()


if __name__ == "__main__":
    main()
