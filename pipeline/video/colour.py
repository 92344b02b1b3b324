"""How a decoded frame becomes a picture: upright, square pixels, sRGB, over white."""

import struct
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData

Picture = NDArray[np.uint8]  # [height, width, 3], OpenCV's blue, green, red
Size = tuple[int, int]  # width, height

HD_LINES = 720  # from here on, players take a file without a tag for BT.709, below for BT.601
WIDEST_PIXEL = 16  # a pixel shape beyond this ratio is a broken header

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_NOT_STATED = (0, 2, 3)  # of FFmpeg's numbers for matrices; 0 is RGB, which a YUV frame cannot be
_HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
_WIDE = (ColorPrimaries.BT2020, ColorPrimaries.SMPTE431, ColorPrimaries.SMPTE432)
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT


class Converter:
    """Turns the frames of one stream into pictures; fastest while frames stay alike."""

    def __init__(self, pixel_shape: Fraction | None) -> None:
        shape = pixel_shape or Fraction(1)
        broken = not Fraction(1, WIDEST_PIXEL) <= shape <= WIDEST_PIXEL
        self._shape = Fraction(1) if broken else shape
        self._reformatter = VideoReformatter()

    def size(self, frame: VideoFrame) -> Size:
        """Width and height at which a player shows the frame, in square pixels, upright.

        Pixels that are not square are stretched along their longer side, so that none is lost.
        """
        width = round(frame.width * max(self._shape, Fraction(1)))
        height = round(frame.height / min(self._shape, Fraction(1)))
        return (height, width) if _Turn.of(frame).swaps else (width, height)

    def picture(self, frame: VideoFrame, size: Size) -> Picture:
        """The frame as a player shows it, scaled to `size`."""
        turn = _Turn.of(frame)
        inner = size[::-1] if turn.swaps else size
        if _has_alpha(frame):
            return turn.upright(_scaled(_over_white(self._converted(frame, "bgra")), inner))
        return turn.upright(self._converted(frame, "bgr24", inner))

    def _converted(self, frame: VideoFrame, layout: str, size: Size | None = None) -> Picture:
        width, height = size or (frame.width, frame.height)
        shrinks = width < frame.width and height < frame.height
        kernel = Interpolation.AREA if shrinks else Interpolation.BICUBIC
        transfer, primaries = _to_srgb(frame)
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=layout,
            src_colorspace=_matrix(frame),
            dst_colorspace=Colorspace.DEFAULT,
            src_color_range=frame.color_range or ColorRange.MPEG,
            dst_color_trc=transfer,
            dst_color_primaries=primaries,
            interpolation=kernel | _EXACT,
            threads=1,
        )
        return np.asarray(converted.to_ndarray(), np.uint8)


class _Turn:
    """A display matrix, rounded to one of the eight ways to turn and mirror a picture."""

    def __init__(self, a: int, b: int, c: int, d: int) -> None:
        """Decoded (x, y) is shown at (a·x + c·y, b·x + d·y)."""
        self.swaps = abs(b) + abs(c) > abs(a) + abs(d)
        right, down = (c, b) if self.swaps else (a, d)
        self._steps = (-1 if down < 0 else 1, -1 if right < 0 else 1)

    @classmethod
    def of(cls, frame: VideoFrame) -> "_Turn":
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return _UPRIGHT
        a, b, _, c, d, *_ = struct.unpack("=9i", bytes(cast("SideData", matrix)))
        return cls(a, b, c, d)

    def upright(self, picture: Picture) -> Picture:
        turned = picture.swapaxes(0, 1) if self.swaps else picture
        return np.ascontiguousarray(turned[:: self._steps[0], :: self._steps[1]])


_UPRIGHT = _Turn(1, 0, 0, 1)


def _matrix(frame: VideoFrame) -> Colorspace | None:
    """The matrix that the frame is tagged with, or that players guess; None: FFmpeg knows."""
    if frame.format.is_rgb or frame.colorspace not in (*_MATRICES, *_NOT_STATED):
        return None
    if frame.colorspace in _MATRICES:
        return _MATRICES[frame.colorspace]
    if frame.color_primaries == ColorPrimaries.BT2020 or frame.color_trc in _HDR:
        return Colorspace.BT2020
    return Colorspace.ITU709 if frame.height >= HD_LINES else Colorspace.ITU601


def _to_srgb(frame: VideoFrame) -> tuple[ColorTrc | None, ColorPrimaries | None]:
    """What FFmpeg must convert the light to: high dynamic range and wide gamuts do not fit.

    The curves and colours of BT.601, BT.709 and sRGB count as the same, as they do in players.
    """
    if frame.color_trc in _HDR:
        if frame.color_primaries == ColorPrimaries.UNSPECIFIED:
            frame.color_primaries = ColorPrimaries.BT2020
        return ColorTrc.IEC61966_2_1, ColorPrimaries.BT709
    return None, ColorPrimaries.BT709 if frame.color_primaries in _WIDE else None


def _has_alpha(frame: VideoFrame) -> bool:
    return _stores_alpha(frame.format.name)


@cache
def _stores_alpha(layout: str) -> bool:
    pixels = VideoFormat(layout)
    return pixels.has_palette or any(part.is_alpha for part in pixels.components)


def _over_white(picture: Picture) -> Picture:
    """Blue, green, red, alpha → blue, green, red on a white page."""
    share = picture[..., 3:].astype(np.float32) / 255
    blended = picture[..., :3] * share + 255 * (1 - share)
    return np.asarray(np.rint(blended), np.uint8)


def _scaled(picture: Picture, size: Size) -> Picture:
    if size == picture.shape[1::-1]:
        return picture
    shrinks = size[0] < picture.shape[1] and size[1] < picture.shape[0]
    kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=kernel), np.uint8)
