"""Windows of streams: those of evaluation where a clip fits a record, evenly spread where not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inference.card import Sampling
from pipeline.inference.frames import video_steps
from pipeline.inference.windows import Coverage, Frame, centred, mirrored
from pipeline.shards.windows import WindowSpec

SPEC = WindowSpec(8, 0.25, 8.0, 96, "rgb")
COVERAGE = Coverage(SPEC, windows=4, limit=64)


def numbered(count):
    """Steps that know their number."""
    return (
        {"rgb": Frame(np.full((1, 1, 3), number % 256, np.uint8), number)}
        for number in range(count)
    )


def numbers(window):
    return [int(step["rgb"].scale) for step in window.steps]


def test_a_clip_that_fits_a_record_has_evaluation_s_windows():
    for count in (1, 3, 15, 40, 64):
        expected = SPEC.covering(count, 4).tolist()
        assert [numbers(window) for window in COVERAGE.cut(numbered(count))] == expected


def test_every_second_window_is_mirrored():
    for count in (40, 400):
        turned = [window.turned for window in COVERAGE.cut(numbered(count))]
        assert turned == [number % 2 == 1 for number in range(len(turned))]


def starts_of(count):
    return [numbers(window)[0] for window in COVERAGE.cut(numbered(count))]


def test_a_longer_video_has_evaluation_s_windows_of_its_middle_and_others_at_their_distance():
    assert starts_of(70) == [3 + start for start in (0, 16, 33, 49)]
    assert starts_of(130) == [0, 17, 33, 49, 66, 82, 98, 115]
    turned = [window.turned for window in COVERAGE.cut(numbered(130))]
    assert turned == [False, True] * 4


def test_windows_of_a_video_that_is_too_long_to_hold_begin_at_its_start():
    starts = starts_of(400)
    assert starts[:5] == [0, 16, 33, 49, 65]
    assert set(np.diff(starts[:-1])) == {16, 17}


@pytest.mark.parametrize(("count", "end"), [(200, 195), (206, 206)])
def test_an_end_of_at_least_half_that_distance_has_a_window_of_its_own(count, end):
    *_, last = COVERAGE.cut(numbered(count))
    assert 8 * last.end == end


@given(
    count=st.integers(1, 300),
    frames=st.integers(2, 9),
    steps=st.integers(1, 3),
    windows=st.integers(1, 12),
    limit=st.integers(2, 70),
)
def test_windows_cover_a_video_from_start_to_end(count, frames, steps, windows, limit):
    coverage = Coverage(WindowSpec(frames, steps / 8, 8.0, 96, "rgb"), windows, limit)
    cut = list(coverage.cut(numbered(count)))
    assert cut
    for window in cut:
        assert len(window.steps) == frames
        assert 0 <= window.start < window.end <= count / 8
    span = (frames - 1) * steps + 1
    if count > max(limit, span):
        for window in cut:
            assert set(np.diff(numbers(window))) == {steps}
        distance = max(1, (limit - span) / (windows - 1)) if windows > 1 else limit
        ends = [0, *(8 * window.end for window in cut), count]
        assert max(np.diff(ends)[1:-1], default=0) <= distance + 1
        assert ends[-1] - ends[-2] <= distance / 2
        assert 8 * cut[0].start <= distance / 2 + 0.5  # starts are whole steps


def test_windows_come_while_the_stream_still_runs():
    taken = []

    def watched():
        for number, step in enumerate(numbered(10_000)):
            taken.append(number)
            yield step

    windows = COVERAGE.cut(watched())
    for _ in range(20):
        window = next(windows)
    assert len(taken) <= numbers(window)[-1] + 2


def test_no_steps_are_no_windows():
    assert list(COVERAGE.cut(iter(()))) == []


def test_the_middle_is_cut_out_and_scaled():
    pictures = np.zeros((2, 4, 8, 3), np.uint8)
    pictures[:, :, 2:6] = 200
    for crop in (2, 4, 7):
        assert np.array_equal(centred(pictures, crop), np.full((2, crop, crop, 3), 200, np.float32))


def test_a_mirror_image_of_flow_moves_the_other_way():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype(np.float32)
    assert np.array_equal(mirrored(x), x[:, :, ::-1] * np.float32([-1, 1]))


def evaluated(shards, clips, spec):
    """The loader's windows by clip, [4, T, crop, crop, C]."""
    from pipeline.shards.loader import evaluation_windows

    files = sorted((shards / "placed/tfrecord").glob(f"*.{spec.stream}.tfrecord"))
    labels = {clip.clip: 0 for clip in clips}
    batches = evaluation_windows(files, labels, spec, windows=4, batch_size=4)
    return {str(ids[0].numpy(), "utf-8"): x.numpy() for x, _, ids in batches}


@pytest.mark.parametrize("stream", ["rgb", "flow"])
@pytest.mark.parametrize("crop", [24, 20])
def test_networks_see_what_they_see_of_a_record_in_evaluation(shards, clips, how, stream, crop):
    pytest.importorskip("tensorflow")
    spec = WindowSpec(3, 0.25, 8.0, crop, stream)
    sampling = Sampling(how.fps, how.max_frames, how.width, how.height, how.jpeg_quality)
    expected = evaluated(shards, clips, spec)
    for clip in clips:
        steps = video_steps(clip.path, sampling, {stream})
        windows = Coverage(spec, 4, how.max_frames).cut(steps)
        found = np.stack([window.pixels(spec) for window in windows])
        np.testing.assert_allclose(found, expected[clip.clip], rtol=0, atol=1e-4)
