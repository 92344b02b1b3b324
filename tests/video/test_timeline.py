from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.video.timeline import Clock, Stamped, present


def spans(times, *, duration=0, step=40, **clock):
    frames = [Stamped(n, time, duration) for n, time in enumerate(times)]
    shown = list(present(frames, Clock(step=step, **clock)))
    assert [each.item for each in shown] == list(range(len(times)))
    assert all(a.end == b.start for a, b in pairwise(shown))
    return [*(each.start for each in shown), *(each.end for each in shown[-1:])]


def test_no_frames():
    assert spans([]) == []


def test_a_late_start_is_0():
    assert spans([2000, 2040, 2080], duration=40) == [0, 40, 80, 120]


def test_one_frame_lasts_as_stated_or_a_step():
    assert spans([7], duration=33) == [0, 33]
    assert spans([7], step=25) == [0, 25]


def test_a_last_frame_without_a_duration_lasts_as_the_one_before():
    assert spans([0, 10, 300], step=40) == [0, 10, 300, 590]
    assert spans([0, 10, 10], step=40) == [0, 10, 10, 20]


def test_long_gaps_are_kept():
    assert spans([0, 40, 30_040, 30_080], duration=40) == [0, 40, 30_040, 30_080, 30_120]


@pytest.mark.parametrize(
    "mixed",
    [[1, 2, 4, 3, 5, 7, 6], [0, 40, 40, 120, 119, 200], [3, 3, 3], [512, 0, 1024, 2560, 1536]],
)
def test_times_that_run_back_and_forth_are_sorted(mixed):
    step = max(1, (max(mixed) - min(mixed)) // len(mixed))
    assert spans(mixed, step=step)[:-1] == [time - min(mixed) for time in sorted(mixed)]


def test_times_that_run_back_further_wait_for_one_another():
    assert spans([0, 5, 4, 3, 2, 1], step=1, lookahead=17) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("again", [0, 1000, 77])
def test_joined_streams_are_one_timeline(again):
    second = [again + 40 * n for n in range(20)]
    joined = [1000 + 40 * n for n in range(20)] + second
    assert spans(joined, duration=40) == [40 * n for n in range(41)]


def test_short_streams_that_were_joined_three_times():
    assert spans([0, 40, 80] * 3, duration=40) == [40 * n for n in range(10)]


def test_a_leap_forward_is_a_join_only_where_the_format_says_so():
    assert spans([0, 40, 900_000, 900_040], duration=40, leap=10_000) == [0, 40, 80, 120, 160]
    assert spans([0, 40, 10_040, 10_080], duration=40, leap=10_000) == [
        0,
        40,
        10_040,
        10_080,
        10_120,
    ]


def test_missing_times_are_filled():
    assert spans([None, None, None], step=40) == [0, 40, 80, 120]
    assert spans([0, None, 80, None], duration=40) == [0, 40, 80, 120, 160]


@given(times=st.lists(st.none() | st.integers(-(10**9), 10**9), max_size=60))
def test_whatever_a_file_states_time_never_runs_back(times):
    found = spans(times)
    assert found == sorted(found)
    assert not found or found[0] == 0
