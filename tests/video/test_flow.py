import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.video.flow import decode_field, encode_field, flow_fields


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
    assert not flow_fields(moving[:1]).any()


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
