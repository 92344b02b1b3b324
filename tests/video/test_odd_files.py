"""Every kind of file that players play, by its right values; each kind with inputs made here."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from pipeline.errors import ClipError
from pipeline.params import Extract
from pipeline.video.decode import first_frames, open_video, sample_clip
from pipeline.video.probe import probe
from pipeline.video.write import rewrite

HOW = {"max_frames": 64, "width": 64, "height": 48, "jpeg_quality": 90, "shards": 4}


def corners(width=64, height=48):
    """White above left, then clockwise red, green and blue."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = 255
    picture[: height // 2, width // 2 :, 2] = 255
    picture[height // 2 :, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 0] = 255
    return picture


def names(picture):
    """The colours of a picture's corners: above left, above right, below right, below left."""
    colours = {(1, 1, 1): "w", (0, 0, 1): "r", (0, 1, 0): "g", (1, 0, 0): "b"}
    low, high = (side // 4 for side in picture.shape[:2])
    found = [picture[low, high], picture[low, -high], picture[-low, -high], picture[-low, high]]
    return "".join(colours[tuple(int(part > 128) for part in each)] for each in found)


def write(
    path, times, *, codec="libx264", layout="yuv420p", picture=None, tag=None, turn=None, **of
):
    """A film whose frames brighten by 4 each, at `times` in milliseconds."""
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, of.get("rate", 25), options=of.get("options") or {})
        first = np.zeros((48, 64, 3), np.uint8) if picture is None else picture
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = layout
        stream.codec_context.time_base = Fraction(1, 1000)
        if shape := of.get("pixel_shape"):
            stream.codec_context.sample_aspect_ratio = shape
        if turn:
            stream.set_display_matrix(turn)
        for number, time in enumerate(times):
            shown = np.full_like(first, 20 + 4 * number) if picture is None else picture
            frame = av.VideoFrame.from_ndarray(shown, format="bgr24")
            if tag:
                stream.codec_context.colorspace = tag
                frame = frame.reformat(format=layout, dst_colorspace=tag)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            frame.duration = times[-1] - times[-2] if len(times) > 1 else 40
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def shown_at(path, rate=10):
    """Which frame of `write`'s is shown at each 1/`rate` s, and when its span began."""
    found = sample_clip(path, duration=probe(path).duration, settings=Extract(fps=rate, **HOW))
    numbers = np.rint((found.frames.mean(axis=(1, 2, 3)) - 20) / 4).astype(int)
    return numbers.tolist(), found.times.tolist()


# AV1, VP9, HEVC, and other layouts of pixels


@pytest.mark.parametrize("name", ["reports/av1.webm", "odd_media/av1_video.mkv"])
def test_av1_is_used(shared, name):
    assert probe(shared / name).duration == pytest.approx(1.0 if "reports" in name else 5.0)


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.webm", "libsvtav1", "yuv420p"),
        ("a.mp4", "libsvtav1", "yuv420p10le"),
        ("a.webm", "libvpx-vp9", "yuv444p"),
        ("a.mp4", "libx265", "yuv420p10le"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mkv", "ffv1", "yuv444p16le"),
        ("a.mkv", "libx264", "yuvj420p"),
    ],
)
def test_codecs_and_layouts_of_pixels(tmp_path, name, codec, layout):
    path = write(tmp_path / name, range(0, 400, 40), codec=codec, layout=layout)
    assert (probe(path).frames, probe(path).duration) == (10, pytest.approx(0.4, abs=0.01))
    means = [frame.mean() for frame in first_frames(path, 10)]
    np.testing.assert_allclose(means, [20 + 4 * n for n in range(10)], atol=2.5)


# Times


def test_a_variable_rate_report(shared):
    path = shared / "reports/variable_rate.mp4"
    assert probe(path).duration == pytest.approx(4.533, abs=1e-3)
    found = sample_clip(path, duration=probe(path).duration, settings=Extract(fps=2, **HOW))
    assert found.times.tolist() == [n / 2 for n in range(10)]


def test_no_stated_rate_report(shared):
    found = probe(shared / "reports/no_default_duration.webm")
    assert (found.frames, found.duration) == (60, pytest.approx(1.986, abs=0.01))


SLIDES = [0, 100, 200, 1000, 1500, 31_500, 31_600]


@pytest.mark.parametrize("name", ["slides.mkv", "slides.mp4", "slides.mov"])
def test_a_variable_rate_with_gaps(tmp_path, name):
    path = write(tmp_path / name, SLIDES)
    numbers, times = shown_at(path, rate=2)
    due = [np.searchsorted(SLIDES, 500 * n, side="right") - 1 for n in range(len(numbers))]
    assert numbers == due
    np.testing.assert_allclose(times, [SLIDES[n] / 1000 for n in due], atol=1e-3)


@pytest.mark.parametrize("step", [4, 5000])
def test_fast_and_slow_rates(tmp_path, step):
    path = write(tmp_path / "a.mkv", range(0, 20 * step, step), rate=Fraction(1000, step))
    assert probe(path).duration == pytest.approx(20 * step / 1000, rel=0.02)


@pytest.mark.parametrize("name", ["late.mkv", "late.ts", "late.mp4"])
def test_a_late_start_is_time_0(tmp_path, name):
    path = write(tmp_path / name, range(7000, 8000, 40))
    numbers, times = shown_at(path)
    assert numbers == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]
    np.testing.assert_allclose(times, [n * 0.04 for n in numbers], atol=1e-3)


def test_joined_transport_streams_are_one_film(tmp_path):
    one = write(tmp_path / "one.ts", range(0, 1000, 40)).read_bytes()
    (tmp_path / "joined.ts").write_bytes(one * 3)
    found = probe(tmp_path / "joined.ts")
    assert (found.frames, found.duration) == (75, pytest.approx(3.0, abs=0.05))


@pytest.mark.parametrize(
    ("codec", "options"), [("libx264", {"bf": "3"}), ("mpeg4", {"bf": "2", "qmax": "2"})]
)
def test_reordered_frames_of_an_avi_have_even_times(tmp_path, codec, options):
    path = write(tmp_path / "b.avi", range(0, 1000, 40), codec=codec, options=options)
    with open_video(path) as video:
        starts = [shown.start for shown in video.frames()]
    np.testing.assert_allclose(np.diff(starts), 0.04, atol=1e-6)
    assert shown_at(path)[0] == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]


# Upright


TURNED = {"video_90.mov": (320, 568), "video_180.mov": (568, 320), "video_270.mov": (320, 568)}


@pytest.mark.parametrize("name", TURNED)
def test_rotated_files_are_upright(shared, name):
    found = probe(shared / "odd_media" / name)
    assert (found.width, found.height) == TURNED[name]


def test_a_rotated_report_is_written_upright(shared, tmp_path):
    source = shared / "reports/rotated_90.mp4"
    rewrite(source, tmp_path / "out.mp4", lambda pictures: pictures)
    before, after = first_frames(source, 1)[0], first_frames(tmp_path / "out.mp4", 1)[0]
    assert before.shape == after.shape == (128, 96, 3)
    assert np.abs(before.astype(int) - after).mean() < 6
    with av.open(tmp_path / "out.mp4") as out:
        assert next(out.decode(video=0)).rotation == 0


ONE = 1 << 16
WAYS = {  # decoded (x, y) is shown at (a·x + c·y, b·x + d·y)
    "as it is": ((1, 0, 0, 1), "wrgb"),
    "mirrored": ((-1, 0, 0, 1), "rwbg"),
    "upside down": ((1, 0, 0, -1), "bgrw"),
    "half a turn": ((-1, 0, 0, -1), "gbwr"),
    "a quarter right": ((0, 1, -1, 0), "bwrg"),
    "a quarter left": ((0, -1, 1, 0), "rgbw"),
    "transposed": ((0, 1, 1, 0), "wbgr"),
    "transposed, the other way": ((0, -1, -1, 0), "grwb"),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_to_turn_and_mirror(tmp_path, way):
    (a, b, c, d), right = WAYS[way]
    matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]
    path = write(tmp_path / "t.mp4", [0, 40], picture=corners(), layout="yuv444p", turn=matrix)
    picture = first_frames(path, 1)[0]
    assert picture.shape == ((64, 48, 3) if b else (48, 64, 3))
    assert names(picture) == right
    small = sample_clip(path, duration=0.08, settings=Extract(fps=10, **HOW)).frames[0]
    assert b or names(small) == right


# Sizes and the shape of pixels


def test_a_report_whose_size_changes_has_one_size(shared, tmp_path):
    path = shared / "reports/size_changes.webm"
    assert {frame.shape for frame in first_frames(path, 99)} == {(96, 128, 3)}
    rewrite(path, tmp_path / "out.mp4", lambda pictures: pictures)
    assert probe(tmp_path / "out.mp4").frames == 30


@pytest.mark.parametrize(("shape", "size"), [((4, 3), (85, 48)), ((1, 2), (64, 96))])
def test_pixels_that_are_not_square(tmp_path, shape, size):
    path = write(tmp_path / "a.mp4", [0, 40], pixel_shape=Fraction(*shape))
    assert (probe(path).width, probe(path).height) == size
    rewrite(path, tmp_path / "out.mp4", lambda pictures: pictures)
    assert (probe(tmp_path / "out.mp4").width, probe(tmp_path / "out.mp4").height) == size


def test_odd_sizes_and_a_single_frame(tmp_path):
    path = write(tmp_path / "a.mkv", [0], picture=corners(47, 33), layout="yuv444p")
    assert (probe(path).frames, probe(path).width, probe(path).height) == (1, 47, 33)


def test_what_is_transparent_is_white(shared):
    assert first_frames(shared / "odd_media/transparent.webm", 1)[0][0, 0].tolist() == [255] * 3


def test_half_transparent_pixels_are_half_white(tmp_path):
    with av.open(tmp_path / "a.mov", "w") as output:
        stream = output.add_stream("qtrle", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        argb = np.zeros((48, 64, 4), np.uint8)
        argb[:, 32:, 0] = 128
        frame = av.VideoFrame.from_ndarray(argb, format="argb")
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    picture = first_frames(tmp_path / "a.mov", 1)[0]
    assert picture[0, 0].tolist() == [255] * 3
    assert picture[0, -1].tolist() == [127] * 3


# Colours


def test_a_tagged_hd_report_keeps_its_colour(shared, tmp_path):
    source = shared / "reports/bt709_hd.mp4"
    for path in (source, tmp_path / "out.mp4"):
        if path != source:
            rewrite(source, path, lambda pictures: pictures)
        middle = first_frames(path, 1)[0][360, 640, ::-1]
        np.testing.assert_allclose(middle.astype(int), [73, 201, 220], atol=3)
    with av.open(tmp_path / "out.mp4") as out:
        frame = next(out.decode(video=0))
        tags = frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range
    assert tags == (1, 1, 1, 1)


@pytest.mark.parametrize("tag", [Colorspace.ITU709, Colorspace.ITU601, Colorspace.BT2020])
def test_the_matrix_that_a_file_is_tagged_with(tmp_path, tag):
    picture = np.full((48, 64, 3), (200, 90, 40), np.uint8)
    path = write(tmp_path / "a.mkv", [0, 40], picture=picture, layout="yuv444p", tag=tag)
    found = first_frames(path, 1)[0].mean(axis=(0, 1))
    np.testing.assert_allclose(found, [200, 90, 40], atol=3)


# Names are bytes; what is not a video says so


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", "é:1.mp4".encode(), b"-i\n.mp4", b"%d'\".mp4"])
def test_names_are_bytes(tmp_path, name):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    write(tmp_path / "a.mp4", range(0, 200, 40)).rename(path)
    assert probe(path).frames == 5
    rewrite(path, path.with_name(path.name + ".out"), lambda pictures: pictures)
    assert probe(path.with_name(path.name + ".out")).frames == 5


def test_sound_that_fails_costs_nothing(shared, tmp_path):
    path = shared / "odd_media/video_with_failing_audio.mp4"
    assert probe(path).frames == 280
    rewrite(path, tmp_path / "out.mp4", lambda pictures: pictures, seconds=1.0)
    assert probe(tmp_path / "out.mp4").frames == 25


# Damaged means lost


def test_complaints_that_cost_nothing_report(shared):
    kept = first_frames(shared / "reports/short_sei.mp4", 99)
    twin = first_frames(shared / "reports/short_sei_reference.mp4", 99)
    assert probe(shared / "reports/short_sei.mp4").frames == 48
    assert np.array_equal(kept, twin)


def test_a_container_that_lies_about_its_size_report(shared):
    assert probe(shared / "reports/riff_size_70_short.avi").frames == 10


def test_a_corrupted_file_is_refused(shared):
    with pytest.raises(ClipError, match="damaged"):
        probe(shared / "odd_media/corrupted.mp4")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.mov", "a.ts", "a.flv", "a.avi"])
@pytest.mark.parametrize("rest", [b"x", bytes(100_000), b"a device's remark " * 20])
def test_bytes_behind_the_end_change_nothing(tmp_path, name, rest):
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    clean = write(tmp_path / name, range(0, 1000, 40), codec=codec)
    other = tmp_path / f"other{clean.suffix}"
    other.write_bytes(clean.read_bytes() + rest)
    assert probe(other) == probe(clean)
    assert np.array_equal(first_frames(other, 99), first_frames(clean, 99))


def noise(path, codec):
    """A film of which every byte counts."""
    pictures = np.random.default_rng(0).integers(0, 255, (25, 48, 64, 3), np.uint8)
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, 25)
        stream.codec_context.thread_count = 1  # the same bytes on any machine
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode())
    return path


FILMS = [
    *(("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")),
    *(("a.webm", "libvpx"), ("a.webm", "libvpx-vp9"), ("a.mp4", "libx265"), ("a.mov", "mpeg4")),
    *(("a.flv", "libx264"), ("a.mkv", "libsvtav1")),
]


@pytest.mark.parametrize(("name", "codec"), FILMS)
@pytest.mark.parametrize("share", [0.17, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name, codec, share):
    path = noise(tmp_path / name, codec)
    with av.open(path) as film:
        coded = [packet for packet in film.demux(video=0) if packet.size]
    last = coded[int(len(coded) * share)]
    path.write_bytes(path.read_bytes()[: last.pos + last.size // 2])  # within a frame
    with pytest.raises(ClipError):
        probe(path)


@pytest.mark.parametrize(("name", "codec"), FILMS)
def test_a_stretch_of_zeros_is_refused(tmp_path, name, codec):
    path = noise(tmp_path / name, codec)
    content = bytearray(path.read_bytes())
    start = len(content) // 2
    content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(ClipError):
        probe(path)
