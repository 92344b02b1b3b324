from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.clips import (
    Clip,
    choose_classes,
    demand_one_file_an_id,
    is_video,
    official_name,
)
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


def test_a_clip_is_called_by_class_and_stem():
    assert Clip("Surfing", Path("anywhere/a wave.v2.mp4"), size=1).id == "Surfing/a wave.v2"


def test_two_files_of_one_id_are_refused_by_name():
    clips = [Clip("A", Path(f"A/x.{suffix}"), size=1) for suffix in ("avi", "mp4")]
    with pytest.raises(SourceError, match=r"x\.avi and x\.mp4 .* A/x"):
        demand_one_file_an_id(clips)


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
