import os

import pytest

from pipeline.errors import SourceError
from pipeline.sources.folder import FolderSource


@pytest.fixture
def root(tmp_path):
    for name in ("A/one.avi", "A/two.MP4", "A/notes.txt", "A/.hidden.avi", "B/drei.mkv", "C/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "loose.avi").write_bytes(b"loose")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.avi").write_bytes(b"a")
    return tmp_path


def test_videos_are_clips_of_their_folder_where_they_are(root):
    clips = FolderSource(root).fetch(root / "unused")
    assert [clip.id for clip in clips] == ["A/one", "A/two", "B/drei"]
    assert all(clip.path.is_relative_to(root) for clip in clips)
    assert [clip.size for clip in clips] == [9, 9, 10]


def test_other_files_are_named_in_the_log(root, caplog):
    caplog.set_level("INFO")
    FolderSource(root).fetch(root)
    assert "notes.txt" in caplog.text


def test_the_listing_changes_with_every_chosen_file(root):
    source = FolderSource(root, classes=["A"])
    before = source.listing()
    assert source.listing() == before
    os.utime(root / "B" / "drei.mkv", ns=(1, 1))
    assert source.listing() == before
    os.utime(root / "A" / "one.avi", ns=(1, 1))
    assert source.listing() != before


def test_an_unknown_class_shows_what_there_is(root):
    with pytest.raises(SourceError, match=r"asks for X, but .* holds: A, B"):
        FolderSource(root, classes=["A", "X"]).listing()


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="one folder per class"):
        FolderSource(tmp_path).listing()


def test_two_suffixes_of_one_name_are_an_error(root):
    (root / "A" / "one.mp4").write_bytes(b"another")
    with pytest.raises(SourceError, match="A/one"):
        FolderSource(root).fetch(root)


def made(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode(errors="surrogateescape"))
    return [clip.id for clip in FolderSource(root).fetch(root / "unused")]


def test_a_flat_folder_of_ucf101_names_is_taken_by_the_names(tmp_path):
    names = [f"v_{name}_g{n:02}_c01.avi" for name in ("Archery", "Surfing") for n in range(1, 11)]
    assert made(tmp_path, *names) == [f"{n.split('_')[1]}/{n[:-4]}" for n in names]


def test_the_folder_that_holds_ucf101_and_its_lists(tmp_path):
    names = ("UCF-101/A/a.avi", "UCF-101/B/b.avi", "ucfTrainTestlist/classInd.txt")
    assert made(tmp_path, *names) == ["A/a", "B/b"]


def test_a_decomposed_folder_is_found_when_typed_composed(tmp_path):
    made(tmp_path, "Cafe\u0301/a.avi", "B/b.avi")
    (clip,) = FolderSource(tmp_path, classes=["Caf\u00e9"]).fetch(tmp_path)
    assert clip.id == "Caf\u00e9/a"
    assert clip.path.is_file()


def test_files_that_differ_in_unicode_form_only_are_an_error(tmp_path):
    with pytest.raises(SourceError, match="Unicode forms differ"):
        made(tmp_path, "A/a\u0301.avi", "A/\u00e1.avi", "B/b.avi")
