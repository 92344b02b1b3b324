"""Reading and resizing of style and content pictures."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import StyleError
from pipeline.video.decode import Picture

MIN_SIDE = 16  # pixels
TRAINING_SIDE = 512  # pixels: the longer side of training pictures, at most
PICTURE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_picture(path: Path) -> Picture:
    """A picture file as blue, green, red bytes, upright; transparency is composed over white."""
    if not path.is_file():
        raise StyleError(f"the picture {path} does not exist")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise StyleError(f"{path} cannot be read as a picture")
    if min(picture.shape[:2]) < MIN_SIDE:
        raise StyleError(
            f"{path} is {picture.shape[1]}×{picture.shape[0]}; "
            f"each side must be at least {MIN_SIDE} pixels"
        )
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if (
        raw is not None
        and raw.ndim == 3
        and raw.shape[2] == 4
        and raw.shape[:2] == picture.shape[:2]
    ):
        opacity = raw[..., 3:] / np.iinfo(raw.dtype).max
        picture = np.rint(picture * opacity + 255 * (1 - opacity))
    return np.asarray(picture, np.uint8)


def picture_hash(picture: Picture) -> str:
    """SHA-256 of a picture's pixels, in hex."""
    return hashlib.sha256(picture.tobytes()).hexdigest()


def shrink(picture: Picture, size: int) -> Picture:
    """`picture` with its longer side at most `size` pixels; smaller ones stay as they are."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return picture
    # Optical flow needs a few pixels, whatever the shape.
    shape = (max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale)))
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA))
