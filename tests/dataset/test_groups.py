import re
from pathlib import Path

import pytest

from pipeline.dataset.groups import read_groups
from pipeline.errors import SourceError

CLIPS = {"A/one", "A/two", "Caf\u00e9/rec.2021.05.01", "Caf\u00e9/rec.2021.05.02"}


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
        assert read_groups(table(text), CLIPS) == {"A/one": "film", "A/two": "film"}

    @pytest.mark.parametrize("row", ["one,film", "A/one,", "A/,film", "A/one"])
    def test_an_incomplete_row_is_named_by_its_line(self, table, row):
        with pytest.raises(SourceError, match=r"line 2 of .*CLASS/NAME"):
            read_groups(table(f"clip,group\n{row}\n"), CLIPS)

    def test_missing_columns(self, table):
        with pytest.raises(SourceError, match="columns clip and group"):
            read_groups(table("file,group\n"), CLIPS)

    def test_a_missing_file(self):
        with pytest.raises(SourceError, match=r"nowhere\.csv"):
            read_groups(Path("nowhere.csv"), CLIPS)

    @pytest.mark.parametrize("suffix", ["", ".mp4", ".MOV"])
    @pytest.mark.parametrize("name", ["Caf\u00e9", "Cafe\u0301"])
    def test_names_with_dots_and_any_unicode_form(self, table, name, suffix):
        rows = f"{name}/rec.2021.05.01{suffix},monday\n{name}/rec.2021.05.02{suffix},monday\n"
        assert read_groups(table(f"clip,group\n{rows}"), CLIPS) == {
            "Caf\u00e9/rec.2021.05.01": "monday",
            "Caf\u00e9/rec.2021.05.02": "monday",
        }

    @pytest.mark.parametrize("clip", ["A/tow", "B/one", "A/one.txt"])
    def test_a_row_that_matches_no_clip_is_named(self, table, clip):
        with pytest.raises(SourceError, match=rf"line 3 of .* names {clip}, which is not a clip"):
            read_groups(table(f"clip,group\nA/one,x\n{clip},x\n"), CLIPS)

    def test_a_row_of_a_misspelt_clip_names_the_file_and_the_nearest_clip(self, table):
        path = table("clip,group\nA/onee,x\n")
        with pytest.raises(SourceError, match=re.escape(f"line 2 of {path}")) as raised:
            read_groups(path, CLIPS)
        assert "(did you mean A/one?); correct" in str(raised.value)

    def test_a_row_like_no_clip_suggests_none(self, table):
        with pytest.raises(SourceError, match="chosen classes; correct or remove the row"):
            read_groups(table("clip,group\nzzzzzz/qqqqqq,x\n"), CLIPS)

    def test_the_table_is_named_where_a_row_is_incomplete(self, table):
        path = table("clip,group\n,film\n")
        with pytest.raises(SourceError, match=re.escape(f"line 2 of {path}")):
            read_groups(path, CLIPS)

    def test_rows_that_contradict_are_named_and_repeated_ones_are_not(self, table):
        with pytest.raises(SourceError, match=r"lines 2 and 3 .* of group x and of group y"):
            read_groups(table("clip,group\nA/one,x\nA/one.mp4,y\n"), CLIPS)
        assert read_groups(table("clip,group\nA/one,x\nA/one.mp4,x\n"), CLIPS) == {"A/one": "x"}

    def test_the_reported_table(self, shared):
        path = shared / "reports" / "groups_with_dots.csv"
        clips = {*CLIPS} | {
            f"跑步/{n}" for n in ("rec.2021.05.01", "rec.2021.05.02", "n00", "link")
        }
        with pytest.raises(SourceError, match="typo-not-there"):
            read_groups(path, clips)
        found = read_groups(path, clips | {"Caf\u00e9/typo-not-there"})
        assert found["Caf\u00e9/rec.2021.05.01"] == found["Caf\u00e9/rec.2021.05.02"] == "monday"
        assert found["跑步/n00"] == found["跑步/link"] == "run2"
