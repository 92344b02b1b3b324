"""What clips look like: in numbers, pictures, figures and sentences."""

import json

import numpy as np
import pytest

from pipeline.dataset.catalogue import build_catalogue
from pipeline.report import data_figures, data_part, exploration
from pipeline.report.exploration import BINS, COLUMNS, measure_clip
from pipeline.shards.schema import Record
from pipeline.video.flow import encode_field, encode_jpeg

RED = (0, 0, 200)  # blue, green, red
GREY = (90, 90, 90)


def record(clip="a/one", *, colour=GREY, right=2.0, frames=3, fps=8):
    picture = encode_jpeg(np.full((24, 32, 3), colour, np.uint8), quality=95)
    field = np.zeros((24, 32, 2), np.float32)
    field[..., 0] = right
    coded, scale = encode_field(field, quality=95)
    times = tuple(i / fps for i in range(frames))
    return Record(
        clip, clip.split("/")[0], times, (picture,) * frames, (coded,) * frames, (scale,) * frames
    )


def row(clip, *, split="train", kept=True, duration=3.0, group=None):
    return {
        "clip": clip,
        "class_name": clip.split("/")[0],
        "group": group or clip,
        "split": split,
        "frames": int(25 * duration),
        "duration": duration,
        "kept": kept,
        "reason": "" if kept else "cut off <here>",
    }


@pytest.fixture
def catalogue():
    return build_catalogue(
        [
            row("a/one", duration=3),
            row("a/two", split="test", duration=5),
            row("b/one", duration=12),
            row("b/two", split="validation", duration=4),
            row("b/bad", kept=False),
        ]
    )


@pytest.fixture
def clips(catalogue):
    measures = [
        measure_clip(record("b/one", colour=RED, right=4)),
        measure_clip(record("a/one")),
        measure_clip(record("a/two", frames=1)),
    ]
    return exploration.table_of(catalogue, measures)


def test_a_red_clip_is_red_saturated_and_in_one_bin_a_channel():
    measured = measure_clip(record(colour=RED))
    assert measured.red == pytest.approx(200 / 255, abs=0.02)
    assert max(measured.green, measured.blue) < 0.02
    assert measured.saturation > 0.97
    assert measured.brightness == pytest.approx(200 / 255, abs=0.02)
    assert measured.histogram.sum(axis=1) == pytest.approx([1, 1, 1])
    assert abs(measured.histogram[0].argmax() - 200 * BINS // 256) <= 1


def test_a_grey_clip_has_no_saturation():
    assert measure_clip(record()).saturation < 0.02


def test_speed_is_in_widths_a_second_whatever_the_sampling():
    assert measure_clip(record(right=2, fps=8)).speed == pytest.approx(2 * 8 / 32, rel=0.03)
    assert measure_clip(record(right=4, fps=4)).speed == pytest.approx(2 * 8 / 32, rel=0.03)
    assert measure_clip(record(right=0, fps=8)).speed == pytest.approx(0, abs=1e-3)


def test_a_clip_of_one_frame_does_not_move():
    assert measure_clip(record(frames=1)).speed == 0


def test_every_clip_in_use_has_a_row_seen_or_not(clips):
    assert clips["clip"].to_list() == ["a/one", "a/two", "b/one", "b/two"]
    assert clips["speed"].isna().to_list() == [False, False, False, True]


def test_numbers_do_not_depend_on_the_order_of_shards(catalogue, clips):
    measures = [measure_clip(record("a/two", frames=1)), measure_clip(record("a/one"))]
    measures.append(measure_clip(record("b/one", colour=RED, right=4)))
    again = exploration.table_of(catalogue, measures)
    assert exploration.numbers_of(again, {}) == exploration.numbers_of(clips, {})


def test_numbers_are_counts_and_medians_that_json_can_hold(clips):
    found = exploration.numbers_of(clips, {"b/bad": "broken"})
    assert (found["clips"], found["left_out"], found["groups"]) == (4, 1, 4)
    assert found["duration"]["between_2_and_10_s"] == 0.75
    assert found["duration"]["longest"] == 12
    assert found["classes"]["a"]["duration"] == 4
    assert [found["classes"]["b"][name] for name in ("train", "validation", "test")] == [1, 1, 0]
    assert found["classes"]["b"]["speed"] == pytest.approx(1.0, rel=0.03)
    json.dumps(found, allow_nan=False)


def test_what_no_clip_of_a_class_was_measured_for_is_not_in_the_numbers(catalogue):
    clips = exploration.table_of(catalogue, [measure_clip(record("a/one"))])
    assert "speed" not in exploration.numbers_of(clips, {})["classes"]["b"]


def test_clips_left_out_come_from_both_stages_with_their_reasons(catalogue):
    missing = exploration.left_out(catalogue, {"a/two": "not decoded"})
    assert missing == {"a/two": "not decoded", "b/bad": "cut off <here>"}


def test_clips_shown_are_training_clips_of_different_groups():
    rows = [row(f"a/{i:02}", group=f"a/g{i // 2}") for i in range(20)]
    rows += [row("a/test", split="test"), row("b/only")]
    shown = exploration.clips_to_show(build_catalogue(rows))
    assert shown == {"a/00", "a/08", "a/18", "b/only"}


@pytest.mark.parametrize("frames", [1, 3, 30])
def test_a_strip_shows_frames_above_their_flow_in_equal_numbers(frames):
    strip = exploration.strip(record(colour=RED, right=0.0, frames=frames))
    assert strip.shape == (2 * 24, COLUMNS * 32, 3)
    assert strip[12, 5, 2] == pytest.approx(200, abs=4)
    assert strip[36, 5].min() > 245


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_figures_have_a_panel_or_a_line_a_class(classes):
    names = [f"c{i}/clip" for i in range(classes)]
    catalogue = build_catalogue([row(name) for name in names])
    clips = exploration.table_of(catalogue, [measure_clip(record(name)) for name in names])
    for figure in (data_figures.lengths(clips, "duration", unit="s"), data_figures.colours(clips)):
        assert sum(axes.get_visible() for axes in figure.axes) == classes
    ranked = data_figures.ranked(clips, {"speed": "speed", "saturation": "saturation"})
    assert [len(axes.get_yticklabels()) for axes in ranked.axes] == [classes, classes]
    assert len(data_figures.splits(clips).axes[0].get_yticklabels()) == classes


@pytest.fixture
def explored(clips, catalogue, tmp_path):
    missing = exploration.left_out(catalogue, {})
    found = exploration.numbers_of(clips, missing)
    (tmp_path / "metrics.json").write_text(json.dumps(found))
    (tmp_path / "left_out.json").write_text(json.dumps(missing))
    (tmp_path / "figures").mkdir()
    for name in ("splits", "durations", "frames", "colours", "tones", "speed"):
        data_figures.splits(clips).savefig(tmp_path / "figures" / f"{name}.png", dpi=20)
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets/a.jpg").write_bytes(record().frames[0])
    return tmp_path


def test_the_report_says_what_the_numbers_say(explored):
    blocks = {each.heading: each.body for each in data_part.sections(explored)}
    assert "75% of the clips last between 2 and 10 s" in blocks["How long clips last"]
    assert "b to red" in blocks["Colours"]
    assert "b moves most" in blocks["Motion"]
    assert "Every class has 2 clips" in blocks["Classes and splits"]
    assert "cut off &lt;here&gt;" in blocks["Clips left out"]
    assert data_part.lead(explored).startswith("4 clips of 4 groups in 2 classes")


def test_a_report_without_clips_left_out_says_so(explored):
    (explored / "left_out.json").write_text("{}")
    assert "None: all 4 clips" in data_part.sections(explored)[-1].body
