"""Paint a video's frames one after the other, so that the paint follows the motion.

Flow is the project's own. Occlusions are found by the forward-backward check, and held by a
temporal loss, of Ruder et al., "Artistic style transfer for videos" (2016).
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from pipeline.style.transfer import Image, Mask, Prior
from pipeline.video.decode import Picture
from pipeline.video.flow import Fields, flow_fields

# Paints a frame: alone where there is no prior, at the start of a scene.
Paint = Callable[[Image, Prior | None], Image]

# A frame of which less follows from the one before begins a scene: 299 pairs of neighbours of 13
# UCF101 clips had at least 0.44, and 26 pairs of frames of different clips at most 0.05.
CUT = 0.2
ALIKE = 48  # of 255, the most by which a point's colour changes from frame to frame


def paint_frames(frames: Iterable[Picture], paint: Paint) -> Iterator[Picture]:
    """Each frame (blue, green, red), painted with what is known from its predecessor.

    Holds two frames, whatever the length.
    """
    before: Picture | None = None
    painted: Image | None = None
    for frame in frames:
        prior = None
        if before is not None and painted is not None:
            prior = predict(before, frame, painted)
        painted = paint(to_image(frame), prior)
        before = frame
        yield to_picture(painted)


def predict(before: Picture, frame: Picture, painted: Image) -> Prior | None:
    """`painted`, the result for `before`, moved to where `frame` has it; None after a cut."""
    backward, moved = followed(before, frame)
    reliable = moved * _alike(before, frame, backward)
    if reliable.mean() < CUT:
        return None
    # Sharper than by lines, since the result is warped again for the next frame, and the next.
    return Prior(warp(painted, backward, cv2.INTER_LANCZOS4).clip(0, 1), reliable)


def followed(before: Picture, after: Picture) -> tuple[Fields, Mask]:
    """The flow from `after` back to `before`, and where it can be relied on."""
    forward, backward = flow_fields(np.stack([before, after, before]))[:2]
    return backward, reliability(forward, backward)


def blended(image: Image, prior: Prior, share: float) -> Image:
    """`image` with a share of the warped predecessor where that is known."""
    weights = share * prior.reliable[..., None]
    return np.asarray(image + weights * (prior.warped - image))


def warp(image: Image, field: Fields, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """The picture whose point (x, y) is `image`'s at (x, y) + `field`; edges are repeated."""
    height, width = field.shape[:2]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    places = np.stack([columns, rows], axis=-1).astype(np.float32) + field
    return np.asarray(
        cv2.remap(image, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def reliability(forward: Fields, backward: Fields) -> Mask:
    """1 where a later frame's points come from the earlier one, 0 where they were hidden there.

    `forward` leads from the earlier frame to the later, `backward` the other way. Points whose way
    back and forth does not close, and those at motion boundaries, count as hidden (Ruder et al.,
    equations 5 and 6).
    """
    there = warp(forward, backward)
    gap = _squares(there + backward)
    closes = gap <= 0.01 * (_squares(there) + _squares(backward)) + 0.5
    slopes = np.concatenate(np.gradient(backward, axis=(0, 1)), axis=-1)
    edge = _squares(slopes) > 0.01 * _squares(backward) + 0.002
    return np.asarray(closes & ~edge, np.float32)


def warping_error(before: Image, after: Image, backward: Fields, reliable: Mask) -> float:
    """Root mean square difference of `after` from `before` warped, where it is reliable."""
    squares = np.square(after - warp(before, backward)).mean(axis=-1)
    return float(np.sqrt((reliable * squares).sum() / max(reliable.sum(), 1.0)))


def to_image(picture: Picture) -> Image:
    """OpenCV's blue, green, red bytes as red, green, blue of 0..1."""
    return np.asarray(picture[..., ::-1] / np.float32(255), np.float32)


def to_picture(image: Image) -> Picture:
    """Red, green, blue of 0..1 as OpenCV's blue, green, red bytes."""
    return np.ascontiguousarray(np.rint(image[..., ::-1] * 255).astype(np.uint8))


def _alike(before: Picture, frame: Picture, backward: Fields) -> Mask:
    """1 where `frame` looks as its warped predecessor does.

    Flow finds no motion in flat pictures, whatever follows them.
    """
    gap = cv2.absdiff(warp(before.astype(np.float32), backward), frame.astype(np.float32))
    return np.asarray(gap.max(axis=-1) < ALIKE, np.float32)


def _squares(field: Fields) -> Fields:
    return np.asarray(np.square(field).sum(axis=-1), np.float32)
