import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.windows import WindowSpec, covering_positions


def spec(frames=3, stride_steps=2, stream="rgb"):
    return WindowSpec(frames, stride_steps / 8, 8.0, 96, stream)


def test_what_follows_from_a_spec():
    assert spec().stride_steps == 2
    assert WindowSpec(8, 0.1, 29.97, 96, "rgb").stride_steps == 3
    assert spec().shape == (3, 96, 96, 3)
    assert spec(stream="flow").shape == (3, 96, 96, 2)


@pytest.mark.parametrize(
    ("count", "windows", "expected"),
    [
        (5, 1, [[0, 2, 4]]),
        (9, 1, [[2, 4, 6]]),
        (9, 2, [[0, 2, 4], [4, 6, 8]]),
        (9, 3, [[0, 2, 4], [2, 4, 6], [4, 6, 8]]),
        (4, 2, [[0, 2, 0], [0, 2, 0]]),  # too short: looped
        (3, 1, [[0, 2, 1]]),
        (1, 1, [[0, 0, 0]]),
    ],
)
def test_windows_that_cover_a_record(count, windows, expected):
    assert spec().covering(count, windows).tolist() == expected


def test_positions_round_to_the_nearest_start():
    starts = spec().indices(9, [0.0, 0.12, 0.13, 0.87, 0.88, 1.0])[:, 0]
    assert starts.tolist() == [0, 0, 1, 3, 4, 4]


def test_one_window_lies_in_the_middle_and_more_reach_both_ends():
    assert covering_positions(1) == [0.5]
    assert covering_positions(2) == [0.0, 1.0]
    assert covering_positions(5) == [0.0, 0.25, 0.5, 0.75, 1.0]


@given(
    st.integers(1, 200),
    st.integers(2, 32),
    st.integers(1, 8),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_windows_keep_to_the_record_the_stride_and_the_order(count, frames, stride, positions):
    indices = spec(frames, stride).indices(count, positions)
    assert indices.shape == (len(positions), frames)
    assert indices.dtype == np.int32
    assert ((indices >= 0) & (indices < count)).all()
    assert (np.diff(indices, axis=1) % count == stride % count).all()
    if count > (frames - 1) * stride:
        assert (np.diff(indices, axis=1) == stride).all()
    else:
        assert (indices[:, 0] == 0).all()


@given(st.integers(1, 200), st.integers(2, 9))
def test_covering_windows_use_the_first_frame_and_the_last_that_fits(count, windows):
    indices = spec().covering(count, windows)
    assert indices[0, 0] == 0
    if count >= 5:
        assert indices[-1, -1] == count - 1


def test_it_does_not_import_tensorflow():
    code = "import sys, pipeline.shards.windows; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
