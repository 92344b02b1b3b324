import cv2
import numpy as np
import pytest

from pipeline.errors import StyleError
from pipeline.style.images import read_picture, shrink


@pytest.fixture
def saved(tmp_path):
    def save(array, name="picture.png"):
        cv2.imwrite(str(tmp_path / name), array)
        return tmp_path / name

    return save


def test_colours_are_blue_green_red(saved):
    array = np.full((20, 30, 3), (10, 20, 30), np.uint8)
    np.testing.assert_array_equal(read_picture(saved(array)), array)


def test_grey_becomes_three_channels(saved):
    assert read_picture(saved(np.full((20, 30), 70, np.uint8)))[3, 4].tolist() == [70, 70, 70]


@pytest.mark.parametrize(("dtype", "full"), [(np.uint8, 255), (np.uint16, 65535)])
def test_transparency_shows_white(saved, dtype, full):
    array = np.zeros((20, 30, 4), dtype)
    array[:10, :, 3] = full
    picture = read_picture(saved(array))
    assert picture.shape == (20, 30, 3)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[15, 0].tolist() == [255, 255, 255]


def test_a_missing_picture_is_an_error(tmp_path):
    with pytest.raises(StyleError, match="does not exist"):
        read_picture(tmp_path / "none.jpg")


def test_what_is_no_picture_is_an_error(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(StyleError, match="cannot be read as a picture"):
        read_picture(tmp_path / "text.jpg")


def test_a_tiny_picture_is_an_error(saved):
    with pytest.raises(StyleError, match="30×4; each side"):
        read_picture(saved(np.zeros((4, 30, 3), np.uint8)))


@pytest.mark.parametrize(
    ("shape", "fitted"),
    [((64, 128), (32, 64)), ((80, 40), (64, 32)), ((33, 47), (33, 47)), ((20, 640), (16, 64))],
)
def test_the_longer_side_is_at_most_the_size(shape, fitted):
    assert shrink(np.zeros((*shape, 3), np.uint8), 64).shape == (*fitted, 3)
