import cv2
import numpy as np

from benchmarks.tutorial import jpegs, padded, tutorial_network


def test_network_has_the_0_44_million_parameters_that_are_told_of_it():
    assert round(tutorial_network(9).count_params() / 1e6, 2) == 0.44


def test_frames_are_all_there_and_fit(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (320, 240))
    for brightness in (0, 100, 200):
        writer.write(np.full((240, 320, 3), brightness, np.uint8))
    writer.release()
    frames = [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in jpegs(path)]
    assert [frame.shape for frame in frames] == [(168, 224, 3)] * 3
    assert [round(frame.mean(), -1) for frame in frames] == [0, 100, 200]


def test_frames_stand_in_the_middle_of_a_black_square_as_rgb():
    blue = np.zeros((168, 224, 3), np.uint8)
    blue[..., 0] = 255
    square = padded(blue)
    assert square.shape == (224, 224, 3)
    np.testing.assert_array_equal(square[[0, 27, 28, 195, 196, 223], 0, 2], [0, 0, 1, 1, 0, 0])
    assert square[..., :2].max() == 0
