import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.video.flow import (
    decode_field,
    decode_jpeg,
    encode_field,
    encode_jpeg,
    flow_fields,
)


@pytest.fixture(scope="module")
def moving():
    """Frames of a smooth pattern that moves 3 pixels right and 1 down, from each to the next."""
    noise = np.random.default_rng(0).integers(0, 255, (20, 26), np.uint8)
    scene = cv2.resize(noise, (260, 200), interpolation=cv2.INTER_CUBIC)
    crops = [scene[50 - i : 146 - i, 60 - 3 * i : 188 - 3 * i] for i in range(4)]
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR) for crop in crops])


def test_flow_is_the_motion_to_the_next_frame_in_pixels(moving):
    inner = flow_fields(moving)[:, 16:-16, 16:-16]
    assert np.allclose(inner.mean(axis=(1, 2)), [3, 1], atol=0.1)


def test_the_last_field_repeats_the_one_before(moving):
    fields = flow_fields(moving)
    assert fields.shape == (4, 96, 128, 2)
    assert np.array_equal(fields[3], fields[2])


def test_one_frame_stands_still(moving):
    fields = flow_fields(moving[:1])
    assert (fields.shape, fields.dtype) == ((1, 96, 128, 2), np.float32)
    assert not fields.any()


def test_the_search_is_the_one_that_was_chosen(moving):
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(1)
    search.setVariationalRefinementIterations(0)
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in moving[:2]]
    assert np.array_equal(flow_fields(moving[:2])[0], search.calc(*grey, None))


def test_a_field_is_a_grey_picture_of_x_beside_y_and_128_stands_still():
    field = np.zeros((16, 16, 2), np.float32)
    field[..., 0], field[..., 1] = 2.54, -1.27
    jpeg, scale = encode_field(field, quality=100)
    assert scale == pytest.approx(0.02)
    planes = decode_jpeg(jpeg, flags=cv2.IMREAD_UNCHANGED)
    assert planes.shape == (16, 32)
    assert np.allclose(planes[:, :16], 255, atol=1)
    assert np.allclose(planes[:, 16:], 64, atol=1)
    decoded = decode_field(jpeg, scale)
    assert decoded.dtype == np.float32
    assert np.allclose(decoded, field, atol=0.03)


def test_quality_is_that_of_the_jpeg(moving):
    sizes = [len(encode_jpeg(moving[0], quality=quality)) for quality in (20, 90, 95, 100)]
    assert sizes == sorted(set(sizes))


def test_a_jpeg_is_read_as_colours_unless_told_otherwise(moving):
    jpeg = encode_jpeg(moving[0], quality=90)
    picture = decode_jpeg(jpeg)
    assert (picture.shape, picture.dtype) == ((96, 128, 3), np.uint8)
    assert decode_jpeg(jpeg, flags=cv2.IMREAD_GRAYSCALE).shape == (96, 128)


@given(
    arrays(np.float32, (6, 8, 2), elements=st.floats(-50, 50, width=32)),
    st.floats(2**-10, 8, width=32),
)
def test_coding_errs_by_little_of_the_largest_motion(corners, stretch):
    field = cv2.resize(corners * np.float32(stretch), (32, 24))
    jpeg, scale = encode_field(field, quality=100)
    error = np.abs(decode_field(jpeg, scale) - field).max()
    assert error <= 0.05 * np.abs(field).max() + 1e-3


def test_no_motion_stays_no_motion():
    still = np.zeros((24, 32, 2), np.float32)
    assert not decode_field(*encode_field(still, quality=90)).any()


def test_real_flow_is_stored_to_a_hundredth_of_a_pixel(moving):
    field = flow_fields(moving)[0]
    jpeg, scale = encode_field(field, quality=90)
    assert np.abs(decode_field(jpeg, scale) - field).mean() < 0.03
    assert len(jpeg) < field.size / 4
