from collections import Counter
from pathlib import PurePosixPath
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.sources.archive import ArchiveSource, BrokenArchiveError, safe_path
from pipeline.sources.folder import FolderSource
from pipeline.sources.layout import arrange, chosen_members


def arranged(*names):
    """The id and the split of each clip, by path."""
    members = arrange(map(PurePosixPath, names), source="the source")
    return {str(m.path): (f"{m.class_name}/{m.name}", m.split) for m in members}


def ids(*names):
    return [clip for clip, _ in arranged(*names).values()]


@pytest.mark.parametrize(
    "name",
    [
        "../a.avi",
        "A/../../a.avi",
        "/etc/a.avi",
        "C:/a.avi",
        "c:a.avi",
        "..\\a.avi",
        "\\\\host\\a.avi",
    ],
)
def test_members_that_point_outside_are_refused_by_name(name):
    with pytest.raises(BrokenArchiveError) as caught:
        safe_path(ZipInfo(name), "my.zip")
    assert repr(name) in str(caught.value)
    assert "my.zip" in str(caught.value)


@given(st.text(alphabet="a./\\:C", min_size=1))
def test_what_is_let_through_stays_inside(name):
    try:
        path = safe_path(ZipInfo(f"{name}.avi"), "my.zip")
    except BrokenArchiveError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts


def test_backslashes_separate():
    assert safe_path(ZipInfo("A\\b.avi"), "x").parts == ("A", "b.avi")


@pytest.mark.parametrize("top", ["", "UCF-101/", "deep/er/"])
def test_classes_are_the_folders(top):
    assert ids(f"{top}A/v_B_g01_c01.avi", f"{top}B/b.avi") == ["A/v_B_g01_c01", "B/b"]


@pytest.mark.parametrize("top", ["", "UCF101/"])
def test_classes_are_in_the_names_where_one_folder_has_all(top):
    names = f"{top}v_A_g01_c01.avi", f"{top}v_B_g01_c01.avi"
    assert ids(*names) == ["A/v_A_g01_c01", "B/v_B_g01_c01"]


def test_a_single_class_folder_of_any_names_is_a_class():
    assert ids("A/one.avi") == ["A/one"]


def test_a_clip_without_folder_or_name_has_no_class():
    assert ids("one.avi") == []


def test_only_visible_videos_count():
    hidden = ("__MACOSX/A/b.avi", "A/._a.avi", "A/.b.avi", ".git/c.avi", "A/Thumbs.db")
    assert ids("A/a.avi", "B/notes.txt", "desktop.ini", *hidden) == ["A/a"]


def test_lists_beside_the_folder_of_classes_are_no_matter():
    names = ("UCF-101/A/a.avi", "UCF-101/B/b.avi", "ucfTrainTestlist/classInd.txt", "UCF101.rar")
    assert ids(*names) == ["A/a", "B/b"]


@pytest.mark.parametrize("top", ["", "mydata/"])
@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("train", "test", "test"),
        ("Training", "VALID", "validation"),
        ("TRAIN", "val", "validation"),
    ],
)
def test_halves_are_splits(top, train, other, split, caplog):
    caplog.set_level("INFO")
    names = [f"{top}{train}/A/1.avi", f"{top}{train}/B/2.avi", f"{top}{other}/A/3.avi"]
    assert set(arranged(*names).values()) == {("A/1", "train"), ("B/2", "train"), ("A/3", split)}
    assert "kept as the splits" in caplog.text


def test_halves_inside_of_classes_and_of_official_names():
    inside = arranged("A/train/1.avi", "A/test/2.avi", "B/train/3.avi")
    assert inside["A/test/2.avi"] == ("A/2", "test")
    flat = arranged("train/v_A_g01_c01.avi", "test/v_B_g02_c01.avi")
    assert flat["test/v_B_g02_c01.avi"] == ("B/v_B_g02_c01", "test")


def test_one_name_in_two_halves_is_two_clips():
    assert sorted(ids("train/A/1.avi", "test/A/1.avi")) == ["A/test-1", "A/train-1"]


def test_a_class_called_train_among_others_is_a_class():
    assert ids("Bus/1.avi", "Train/2.avi") == ["Bus/1", "Train/2"]


def test_loose_videos_are_left_out_with_a_warning(caplog):
    assert ids("intro.avi", "A/1.avi", "B/2.avi") == ["A/1", "B/2"]
    assert "intro.avi" in caplog.text


@pytest.mark.parametrize(
    "names", [("A/x/1.avi", "B/y/2.avi"), ("A/1.avi", "B/y/2.avi"), ("train/A/1.avi", "C/2.avi")]
)
def test_folders_that_can_be_read_in_two_ways_are_refused(names):
    with pytest.raises(SourceError, match="it is not clear which folder is the class"):
        ids(*names)


def test_only_archives_are_an_error_that_names_them():
    with pytest.raises(SourceError, match=r"only archives \(A\.zip, B\.tar\)"):
        ids("A.zip", "B.tar")


def test_ids_are_composed_and_printable():
    names = ["Cafe\u0301/a\u0301.avi", "B/a\udcff\n.avi"]
    assert sorted(ids(*names)) == ["B/a\\xff\\x0a", "Caf\u00e9/\u00e1"]


def test_classes_are_chosen():
    paths = map(PurePosixPath, ["A/a.avi", "B/b.avi"])
    members = chosen_members(paths, classes=["b"], source="x")
    assert [member.name for member in members] == ["b"]


def test_the_reported_halves_are_alike_as_zip_and_as_folder(shared, tmp_path):
    path = shared / "reports" / "train_and_test_halves.zip"
    with ZipFile(path) as file:
        file.extractall(tmp_path / "folder")
    found = [
        {(clip.id, clip.split) for clip in source.fetch(tmp_path / "out")}
        for source in (ArchiveSource(path), FolderSource(tmp_path / "folder"))
    ]
    assert found[0] == found[1]
    assert Counter(split for _, split in found[0]) == {"train": 24, "test": 12}
