import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.members import (
    BrokenArchiveError,
    member_path,
    members_by_class,
    videos_inside,
)


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
        videos_inside(["A/good.avi", name], archive="my.zip")
    assert repr(name) in str(caught.value)
    assert "my.zip" in str(caught.value)


@given(st.lists(st.text(alphabet="a./\\:C", min_size=1)))
def test_what_is_let_through_stays_inside(names):
    try:
        paths = videos_inside([f"{name}.avi" for name in names], archive="my.zip")
    except BrokenArchiveError:
        return
    assert not any(path.is_absolute() or ".." in path.parts for path in paths.values())


def test_only_visible_videos_count():
    names = ["A/", "A/a.avi", "A/notes.txt", "__MACOSX/A/._a.avi", "A/.b.avi"]
    assert list(videos_inside(names, archive="x")) == ["A/a.avi"]


@pytest.mark.parametrize("top", ["", "UCF-101/", "deep/er/"])
def test_classes_are_the_folders(top):
    names = [f"{top}A/v_B_g01_c01.avi", f"{top}B\\b.avi"]
    assert members_by_class(names, archive="x") == {"A": names[:1], "B": names[1:]}


@pytest.mark.parametrize("top", ["", "UCF101/"])
def test_classes_are_in_the_names_where_one_folder_has_all(top):
    names = [f"{top}v_A_g01_c01.avi", f"{top}v_B_g01_c01.avi"]
    assert members_by_class(names, archive="x") == {"A": names[:1], "B": names[1:]}


def test_a_single_class_folder_of_any_names_is_a_class():
    assert members_by_class(["A/one.avi"], archive="x") == {"A": ["A/one.avi"]}


def test_clips_without_folder_or_name_have_no_class():
    assert members_by_class(["one.avi"], archive="x") == {}


def test_backslashes_separate():
    assert member_path("A\\b.avi").parts == ("A", "b.avi")
