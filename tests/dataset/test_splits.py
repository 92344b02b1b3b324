from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.splits import (
    SPLITS,
    Splitter,
    demand_clips_in_each_split,
    group_of,
    read_groups,
    stable_fraction,
)
from pipeline.errors import SourceError


def splitter(official=1, validation=0.22, test=0.28):
    return Splitter(official, validation=validation, test=test)


def official_list(shared, name):
    text = (shared / "ucf101" / "ucfTrainTestlist" / name).read_text()
    return [line.split()[0].removesuffix(".avi") for line in text.splitlines()]


@pytest.mark.parametrize("official", [1, 2, 3])
def test_official_splits_are_those_of_the_official_lists(shared, official):
    splits = splitter(official)
    for part, expected in (("train", {"train", "validation"}), ("test", {"test"})):
        for clip in official_list(shared, f"{part}list0{official}.txt"):
            assert splits.split_of(group_of(clip, {})) in expected


@pytest.mark.parametrize("official", [1, 2, 3])
@pytest.mark.parametrize(("share", "groups"), [(0.22, 4), (0.01, 0), (0.5, 9)])
def test_validation_is_whole_groups_of_the_training_part(official, share, groups):
    splits = splitter(official, validation=share)
    chosen = [splits.split_of(f"Surfing/g{number:02}") for number in range(1, 26)]
    assert chosen.count("validation") == groups
    assert chosen.count("test") == 7
    assert chosen[7 * (official - 1) : 7 * official] == ["test"] * 7


def test_classes_validate_on_different_groups():
    def groups(name):
        return [n for n in range(1, 26) if splitter().split_of(f"{name}/g{n:02}") == "validation"]

    assert len({tuple(groups(name)) for name in ("Surfing", "Archery", "Rafting")}) > 1


def test_the_choice_never_changes():
    """Another hash would silently move clips between the splits of those who have results."""
    chosen = [n for n in range(1, 26) if splitter().split_of(f"Surfing/g{n:02}") == "validation"]
    assert chosen == [10, 13, 17, 18]
    assert stable_fraction("Surfing/a") == 0.04575733711418506


@given(
    official=st.integers(1, 3),
    validation=st.floats(0.01, 0.99),
    test=st.floats(0.01, 0.99),
    clips=st.lists(
        st.tuples(st.sampled_from("AB"), st.text(min_size=1) | st.integers(0, 30)), max_size=20
    ),
    table=st.dictionaries(
        st.sampled_from(["A/x", "B/x", "A/g03"]), st.sampled_from(["A/g01", "A/g30", "film", "A/x"])
    ),
)
def test_no_group_is_ever_in_two_splits(official, validation, test, clips, table):
    splits = splitter(official, validation, test)
    names = [
        f"{name}/v_{name}_g{what:02}_c01" if isinstance(what, int) else f"{name}/{what}"
        for name, what in clips
    ]
    found = defaultdict(set)
    for clip in [*names, *table]:
        found[group_of(clip, table)].add(splits.split_of(group_of(clip, table)))
    assert all(len(splits) == 1 for splits in found.values())
    assert all(found[group] <= set(SPLITS) for group in found)


@given(st.text())
def test_fractions_lie_below_one(text):
    assert 0 <= stable_fraction(text) < 1


def test_other_clips_are_split_by_their_shares():
    splits = [splitter().split_of(f"Mine/{number}.x") for number in range(4000)]
    assert splits.count("test") / 4000 == pytest.approx(0.28, abs=0.03)
    assert splits.count("validation") / 4000 == pytest.approx(0.22 * 0.72, abs=0.03)


@pytest.mark.parametrize(
    ("clip", "group"),
    [
        ("Surfing/v_Surfing_g07_c01", "Surfing/g07"),
        ("HandstandPushups/v_HandStandPushups_g07_c01", "HandstandPushups/g07"),
        ("Surfing/v_Surfing_g26_c01", "Surfing/v_Surfing_g26_c01"),
        ("Surfing/v_Rafting_g07_c01", "Surfing/v_Rafting_g07_c01"),
        ("Surfing/a wave", "Surfing/a wave"),
        ("Surfing/told", "film"),
    ],
)
def test_groups(clip, group):
    assert group_of(clip, {"Surfing/told": "film"}) == group


class TestTheTableOfGroups:
    @pytest.fixture
    def table(self, tmp_path):
        def write(text):
            path = tmp_path / "groups.csv"
            path.write_text(text, encoding="utf-8")
            return path

        return write

    def test_names_with_and_without_suffix(self, table):
        text = "\ufeffgroup,clip\r\nfilm, A/one.mp4 \r\nfilm,A/two\r\n"
        assert read_groups(table(text)) == {"A/one": "film", "A/two": "film"}

    @pytest.mark.parametrize("row", ["one,film", "A/one,", "A/,film", "A/one"])
    def test_an_incomplete_row_is_named_by_its_line(self, table, row):
        with pytest.raises(SourceError, match=r"line 2 of .*CLASS/NAME"):
            read_groups(table(f"clip,group\n{row}\n"))

    def test_missing_columns(self, table):
        with pytest.raises(SourceError, match="columns clip and group"):
            read_groups(table("file,group\n"))

    def test_a_missing_file(self):
        with pytest.raises(SourceError, match=r"nowhere\.csv"):
            read_groups(Path("nowhere.csv"))


def test_a_class_without_clips_in_a_split_is_named_with_the_split():
    clips = [("A", split) for split in SPLITS] + [("B", "train"), ("B", "test")]
    with pytest.raises(SourceError, match=r"class B has no usable clip in the validation split"):
        demand_clips_in_each_split(clips)
    demand_clips_in_each_split(clips[:3])
    demand_clips_in_each_split(clips, ("train", "test"))
