"""Videos crafted to take all memory: refused before it is allocated, or decoded within bounds."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import ClipError
from pipeline.params import load_params
from pipeline.video.decode import MAX_SIDE, sample_clip
from pipeline.video.probe import probe

ROOT = Path(__file__).parents[2]
PEAK = """
import resource, sys
from pathlib import Path
from pipeline.errors import ClipError
from pipeline.params import load_params
from pipeline.video.decode import sample_clip
from pipeline.video.probe import probe

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

path, settings, before = Path(sys.argv[1]), load_params(Path("params.yaml")).extract, peak()
try:
    sample_clip(path, duration=probe(path).duration, settings=settings)
except ClipError as error:
    print(error, file=sys.stderr)
print(peak() - before)
"""


def film(path, width, height, frames, codec="ffv1", rate=25):
    """Grey frames, which take next to nothing in the file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        for number in range(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def peak_megabytes(path):
    """What probing and sampling the file takes, at most, beside the libraries."""
    command = [sys.executable, "-c", PEAK, path]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.parametrize(("width", "height"), [(100_000, 16), (16, 100_000), (8192, 8192)])
def test_frames_beyond_8k_or_far_too_wide_are_refused_before_they_are_decoded(
    tmp_path, width, height
):
    path = film(tmp_path / "clip.mkv", width, height, 1)
    with pytest.raises(ClipError, match=r"its frames are .*; each side may have at most 16384"):
        probe(path)
    assert peak_megabytes(path) < 50


def test_a_header_that_hides_the_true_size_does_not_help(tmp_path):
    path = film(tmp_path / "clip.mkv", 9000, 4096, 1, codec="libx264")
    content = path.read_bytes()
    path.write_bytes(content.replace((9000).to_bytes(2), (64).to_bytes(2)))
    with pytest.raises(ClipError):
        probe(path)
    assert peak_megabytes(path) < 50


def test_the_widest_frame_that_is_taken_costs_no_more_than_what_is_kept_of_it(tmp_path):
    path = film(tmp_path / "clip.mkv", MAX_SIDE, 16, 30)
    settings = load_params(ROOT / "params.yaml").extract
    kept = sample_clip(path, duration=probe(path).duration, settings=settings).frames
    assert kept.shape == (10, settings.height, settings.width, 3)
    assert kept.base is None or kept.base.nbytes == kept.nbytes
    assert peak_megabytes(path) < 300


def test_4k_takes_a_bounded_amount_of_memory(tmp_path):
    path = film(tmp_path / "clip.mp4", 3840, 2160, 30, codec="mpeg4")
    assert probe(path).frames == 30
    assert peak_megabytes(path) < 500


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path):
    minute = film(tmp_path / "minute.mkv", 96, 64, 60 * 4, codec="mpeg4", rate=4)
    hour = film(tmp_path / "hour.mkv", 96, 64, 3600 * 4, codec="mpeg4", rate=4)
    assert probe(hour).duration == pytest.approx(3600)
    assert peak_megabytes(hour) < peak_megabytes(minute) + 30


def test_frames_ages_apart_are_not_filled_in(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pts in (0, 10**8):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    settings = load_params(ROOT / "params.yaml").extract
    kept = sample_clip(path, duration=probe(path).duration, settings=settings)
    assert len(kept.frames) == settings.max_frames
