import cv2
import numpy as np
import pytest

from pipeline.video.pictures import contact_sheet, flow_colours, write_animation, write_picture


@pytest.mark.parametrize(
    ("motion", "colour"),  # blue, green, red
    [((1, 0), (0, 0, 255)), ((0, 0), (255, 255, 255))],
)
def test_right_is_red_and_rest_is_white(motion, colour):
    assert flow_colours(np.array(motion, np.float32), largest=1.0).tolist() == list(colour)


def test_opposite_directions_differ_and_speed_saturates():
    east, west, slow = flow_colours(np.array([[5, 0], [-5, 0], [1, 0]], np.float32))
    assert np.abs(east.astype(int) - west).max() > 200
    assert slow.min() > east.min()
    assert (slow >= east).all()


def test_a_sheet_has_the_pictures_in_order_and_white_at_the_end():
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(pictures, columns=2)
    assert sheet.shape == (4, 6, 3)
    assert [sheet[y, x, 0] for y in (0, 2) for x in (0, 3)] == [10, 20, 30, 255]


def test_an_animation_has_as_many_pictures(tmp_path):
    pictures = np.stack([np.full((8, 8, 3), 60 * value, np.uint8) for value in range(3)])
    write_animation(tmp_path / "clip.gif", pictures, fps=8)
    found, animation = cv2.imreadanimation(str(tmp_path / "clip.gif"))
    assert found
    assert len(animation.frames) == 3


def test_a_picture_is_of_the_kind_that_its_suffix_says(tmp_path):
    picture = np.full((4, 6, 3), (10, 20, 30), np.uint8)
    write_picture(tmp_path / "a.png", picture)
    assert (cv2.imread(str(tmp_path / "a.png")) == picture).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_an_animation_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "taken.gif").mkdir()
    with pytest.raises(OSError, match="could not be written"):
        write_animation(tmp_path / "taken.gif", np.zeros((1, 8, 8, 3), np.uint8), fps=8)
