"""Optical flow between neighbouring frames, and its form on disk.

A field is float32 [height, width, 2]: by how many pixels (right, down) each point moves until the
next sampled frame. On disk it is a grey JPEG, the x plane left of the y plane, each value a byte:
flow = (byte - 128) * scale, with one scale a field, so that slow fields keep their detail.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pipeline.video.colour import Picture

Fields = NDArray[np.float32]

ZERO = 128  # the byte that stands for no motion
REACH = 127  # bytes between no motion and a field's largest


def flow_fields(frames: Picture) -> Fields:
    """Flow [N, height, width, 2] from each of N frames to the next.

    The last frame has no next one: it repeats the field before it. Dense inverse search (Kroeger
    et al., 2016) down to half the resolution, without variational refinement: of OpenCV's settings
    that cost no more, the one whose fields map the next frame best onto this one.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(1)
    search.setVariationalRefinementIterations(0)
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    fields = [search.calc(now, after, None) for now, after in pairwise(grey)]
    last = fields[-1] if fields else np.zeros((*grey[0].shape, 2), np.float32)
    return np.stack([*fields, last])


def encode_field(field: Fields, *, quality: int) -> tuple[bytes, float]:
    """A field as JPEG and the scale that turns its bytes back into pixels."""
    scale = np.float32(max(float(np.abs(field).max()), 1e-3) / REACH)
    planes = (field / scale + (ZERO + 0.5)).astype(np.uint8)
    return encode_jpeg(np.hstack([planes[..., 0], planes[..., 1]]), quality=quality), float(scale)


def decode_field(jpeg: bytes, scale: float) -> Fields:
    """The field that `encode_field` wrote, to about a hundredth of its largest motion."""
    return (byte_planes(jpeg).astype(np.float32) - ZERO) * np.float32(scale)


def byte_planes(jpeg: bytes) -> Picture:
    """A coded field as bytes, uint8 [height, width, 2]."""
    planes = decode_jpeg(jpeg, flags=cv2.IMREAD_GRAYSCALE)
    return np.stack(np.split(planes, 2, axis=1), axis=-1)


def encode_jpeg(picture: Picture, *, quality: int) -> bytes:
    """A grey or blue-green-red picture as JPEG; `quality` is 1–100."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def decode_jpeg(jpeg: bytes, *, flags: int = cv2.IMREAD_COLOR) -> Picture:
    """A JPEG as OpenCV's blue, green, red [height, width, 3], or as `flags` say."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags), np.uint8)
