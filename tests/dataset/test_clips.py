from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.clips import (
    Clip,
    choose_classes,
    demand_one_file_per_id,
    official_name,
)
from pipeline.dataset.names import is_video
from pipeline.errors import SourceError


@given(
    name=st.from_regex(r"[A-Za-z]+(_g[0-9]{2})?", fullmatch=True),
    group=st.integers(0, 99),
    clip=st.integers(0, 99),
    suffix=st.sampled_from(["", ".avi", ".MP4", ".tar.gz"]),
)
def test_official_names_are_read_back(name, group, clip, suffix):
    assert official_name(f"v_{name}_g{group:02}_c{clip:02}{suffix}") == (name, group)


@pytest.mark.parametrize(
    "name", ["", "Surfing.avi", "v_Surfing_g1_c01.avi", "v_Surfing_g01.avi", "xv_Surfing_g01_c01"]
)
def test_other_names_are_not_official(name):
    assert official_name(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.avi", True), ("a.b.MP4", True), (".a.avi", False), ("a.txt", False), ("avi", False)],
)
def test_videos_are_known_by_their_suffix(name, expected):
    assert is_video(name) is expected


def test_a_clip_is_called_by_class_and_name():
    clip = Clip("Surfing", "a wave.v2", Path("anywhere/a wave.v2.mp4"), size=1)
    assert clip.id == "Surfing/a wave.v2"


def test_two_files_of_one_id_are_refused_by_name():
    clips = [Clip("A", "x", Path(f"A/x.{suffix}"), size=1) for suffix in ("avi", "mp4")]
    with pytest.raises(SourceError, match=r"x\.avi and A/x\.mp4 .* A/x"):
        demand_one_file_per_id(clips)


def test_two_files_that_differ_in_unicode_form_only_are_told_apart_in_the_error():
    paths = [Path("A/caf\u00e9.avi"), Path("A/cafe\u0301.avi")]
    with pytest.raises(SourceError, match=r"Unicode forms differ: 'caf\\xe9\.avi', 'cafe\\u0301"):
        demand_one_file_per_id(Clip("A", "caf\u00e9", path, size=1) for path in paths)


class TestChoosingClasses:
    HELD = ("HandstandPushups", "Surfing")

    @pytest.mark.parametrize("asked", [None, "all"])
    def test_all_by_default(self, asked):
        assert choose_classes(asked, held=self.HELD, source="x") == list(self.HELD)

    def test_case_is_no_difference_and_a_class_counts_once(self):
        asked = ["HandStandPushups", "handstandpushups"]
        assert choose_classes(asked, held=self.HELD, source="x") == ["HandstandPushups"]

    @pytest.mark.parametrize("asked", [["Surf"], []])
    def test_the_error_lists_what_there_is(self, asked):
        with pytest.raises(SourceError, match="the folder holds: HandstandPushups, Surfing"):
            choose_classes(asked, held=self.HELD, source="the folder")

    def test_a_source_without_clips_is_an_error(self):
        with pytest.raises(SourceError, match="holds no clips"):
            choose_classes(None, held=[], source="the folder")

    @pytest.mark.parametrize("asked", ["Caf\u00e9", "Cafe\u0301", "CAFE\u0301"])
    def test_a_class_is_found_in_any_unicode_form(self, asked):
        assert choose_classes([asked], held=["Caf\u00e9"], source="x") == ["Caf\u00e9"]

    def test_two_classes_that_differ_in_case_only_are_an_error(self):
        with pytest.raises(SourceError, match="Run and run of the folder differ"):
            choose_classes(None, held=["run", "Run"], source="the folder")
