import cv2
import numpy as np
import pytest

from pipeline.errors import StyleError
from pipeline.style.brush import brush_strokes
from pipeline.style.domains import Domain, folder_pictures, halves_by_group, with_brush_strokes


@pytest.fixture
def folder(tmp_path):
    """Nine grey pictures, each of its own brightness."""
    for number in range(9):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 30, 3), 10 * number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def brightness(pictures):
    return [int(picture[0, 0, 0]) for picture in pictures]


def test_some_files_of_a_folder_are_held_out(folder):
    domain = folder_pictures(folder)
    assert brightness(domain.held_out) == [40]
    assert brightness(domain.training) == [0, 10, 20, 30, 50, 60, 70, 80]


def test_what_macos_adds_is_ignored(folder, shared):
    (folder / "__MACOSX").mkdir()
    for name in ("._1.png", "__MACOSX/1.png"):
        (folder / name).write_bytes(b"no picture")
    assert len(folder_pictures(folder).training) == 8
    assert len(folder_pictures(shared / "reports" / "apple_double").training) == 1


def test_a_single_picture_is_both_parts(folder):
    domain = folder_pictures(folder / "3.png")
    assert brightness(domain.training) == brightness(domain.held_out) == [30]


def test_a_video_gives_one_frame_per_second(film, tmp_path):
    film(tmp_path / "clips" / "a.avi", frames=60, fps=25.0)
    film(tmp_path / "clips" / "b.avi", frames=20, fps=25.0)
    domain = folder_pictures(tmp_path / "clips")
    assert (len(domain.training), len(domain.held_out)) == (3, 1)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(StyleError, match="holds no pictures and no videos"):
            folder_pictures(folder)


def test_a_file_that_cannot_be_read_is_left_out_with_a_warning(folder, caplog):
    (folder / "broken.avi").write_bytes(b"no video")
    (folder / "broken.png").write_bytes(b"no picture")
    domain = folder_pictures(folder)
    assert brightness(domain.training + domain.held_out) == [0, 10, 20, 30, 50, 60, 70, 80, 40]
    assert "broken.avi cannot be read as a video" in caplog.text
    assert "broken.png cannot be read as a picture" in caplog.text


def test_a_folder_of_broken_files_or_a_broken_file_is_an_error(tmp_path):
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no video")
    with pytest.raises(StyleError, match="that can be read"):
        folder_pictures(tmp_path)
    with pytest.raises(StyleError, match=r"broken\.avi cannot be read as a video"):
        folder_pictures(broken)


def test_the_two_parts_share_no_group():
    clips = {f"c{n}": f"g{n // 3}" for n in range(60)}
    first, second = halves_by_group(clips)
    assert first | second == set(clips)
    assert not {clips[clip] for clip in first} & {clips[clip] for clip in second}
    assert 15 < len(first) < 45


def test_brush_strokes_are_drawn_for_a_limited_number(folder):
    domain = folder_pictures(folder)
    limited = with_brush_strokes(Domain(domain.training, domain.training[:1]), limit=3)
    assert (len(limited.training), len(limited.held_out)) == (3, 1)


def test_strokes_follow_the_picture_in_other_colours():
    picture = np.full((48, 64, 3), (90, 50, 20), np.uint8)
    picture[:, 32:] = (190, 225, 240)
    strokes = brush_strokes(picture, seed=0)
    assert strokes.shape == picture.shape
    assert strokes[:, 40:].mean() - strokes[:, :24].mean() > 80
    assert strokes[:, 40:].std(axis=(0, 1)).min() > 5  # single strokes can be told apart
    np.testing.assert_array_equal(strokes, brush_strokes(picture, seed=0))
