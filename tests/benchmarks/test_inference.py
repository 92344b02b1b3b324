"""The benchmark of forms: turns, and what was to be reached."""

import pytest

from benchmarks import charts
from benchmarks.inference import bars, in_turns

FORMS = {
    "keras": {"size_bytes": 900, "video_accuracy": 0.9, "max_difference": 0.0},
    "float32": {"size_bytes": 600, "video_accuracy": 0.9, "max_difference": 2e-7},
    "int8": {"size_bytes": 150, "video_accuracy": 0.894, "max_difference": 0.1},
    "onnx": {"size_bytes": 600, "video_accuracy": 0.9, "max_difference": 3e-7},
}
TIMES = {"keras": 8.0, "onnx": 5.0, "float32": 5.0, "int8": 2.0}
RESULT = {
    "networks": {"csn-rgb": {"accuracy": FORMS, "timing": {"1": TIMES, "2": TIMES}}},
    "peer": {
        "accuracy": {"clips": 10, "seconds": 80.0},
        "timing": {"1": {"frame": 2.0, "second_of_video": 10.0}},
    },
}


def test_bars_tell_what_int8_costs_and_saves():
    found = {name.partition(" (")[0]: value for name, value in bars(RESULT).items()}
    assert found["largest difference of float32 and ONNX"] == 3e-7
    assert found["points that int8 loses"] == {"csn-rgb": pytest.approx(0.6)}
    assert found["int8's share of float32's size"] == {"csn-rgb": 0.25}
    assert found["int8's share of the time of Keras, one thread"] == {"csn-rgb": 0.25}


def test_a_second_of_video_takes_a_clip_s_windows_by_its_seconds():
    found = bars(RESULT)["milliseconds for a second of video"]
    assert found == {"csn-rgb": 4 * 10 / 80 * 2.0, "peer": 10.0}


def test_a_part_that_is_not_measured_yet_has_no_bars():
    networks = {"csn-rgb": {"accuracy": FORMS}}
    assert set(bars({"networks": networks})) == {
        name for name in bars(RESULT) if "Keras" not in name and "second" not in name
    }


def test_contestants_take_turns():
    seen = []
    times = in_turns({"a": lambda _: seen.append("a"), "b": lambda _: seen.append("b")}, None)
    assert set(times) == {"a", "b"}
    turn = seen.index("b")
    assert seen[: 2 * turn] == ["a"] * turn + ["b"] * turn
    assert seen.count("a") == seen.count("b")


def test_the_chart_has_a_bar_per_form_and_network():
    size, kept, time = charts.inference(RESULT["networks"]).axes
    assert [bar.get_height() for bar in time.patches] == [8.0, 5.0, 5.0, 2.0]
    assert len(size.patches) == len(kept.patches) == len(TIMES)
