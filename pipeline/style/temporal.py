"""Stylize a video frame by frame, each consistent with its predecessor along the optical flow.

Flow is the project's own. Occlusions are found by the forward-backward check, and consistency is
held by a temporal loss or a blend, after Ruder et al., "Artistic style transfer for videos" (2016).
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from pipeline.style.transfer import Image, Mask, Prior
from pipeline.video.decode import Picture
from pipeline.video.flow import Fields, flow_fields

# Stylizes one frame; there is no prior for the first frame of a scene.
StylizeFrame = Callable[[Image, Prior | None], Image]

# A frame with a smaller share of reliable flow begins a scene: 299 pairs of neighbours of 13 UCF101
# clips had at least 0.44, and 26 pairs of frames of different clips at most 0.05.
SCENE_CUT = 0.2
MAX_COLOUR_CHANGE = 48  # of 255, from frame to frame along the flow


def stylize_frames(frames: Iterable[Picture], stylize: StylizeFrame) -> Iterator[Picture]:
    """Each frame (blue, green, red) stylized, given its predecessor's result warped to it.

    Holds two frames, whatever the length.
    """
    previous: Picture | None = None
    stylized: Image | None = None
    for frame in frames:
        prior = None
        if previous is not None and stylized is not None:
            prior = warped_prior(previous, frame, stylized)
        stylized = stylize(to_image(frame), prior)
        previous = frame
        yield to_picture(stylized)


def warped_prior(before: Picture, after: Picture, stylized: Image) -> Prior | None:
    """`stylized`, the result for `before`, warped to `after`; None at a scene cut."""
    backward, consistent = reliable_flow(before, after)
    reliable = consistent * _similar(before, after, backward)
    if reliable.mean() < SCENE_CUT:
        return None
    # Lanczos is sharper than bilinear, and blur would add up from frame to frame.
    return Prior(warp(stylized, backward, cv2.INTER_LANCZOS4).clip(0, 1), reliable)


def reliable_flow(before: Picture, after: Picture) -> tuple[Fields, Mask]:
    """The flow from `after` back to `before`, and where it is reliable."""
    forward, backward = flow_fields(np.stack([before, after, before]))[:2]
    return backward, reliability(forward, backward)


def blend(image: Image, prior: Prior, share: float) -> Image:
    """`image` with a share of the warped previous frame where the flow is reliable."""
    weights = share * prior.reliable[..., None]
    return np.asarray(image + weights * (prior.warped - image))


def warp(image: Image, field: Fields, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """The picture whose point (x, y) is `image`'s at (x, y) + `field`; edges are repeated."""
    height, width = field.shape[:2]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    points = np.stack([columns, rows], axis=-1).astype(np.float32) + field
    return np.asarray(
        cv2.remap(image, points, None, interpolation, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def reliability(forward: Fields, backward: Fields) -> Mask:
    """1 where a later frame's points come from the earlier one, 0 where they were occluded.

    `forward` leads from the earlier frame to the later, `backward` the other way. Points that fail
    the forward-backward check, and those at motion boundaries, count as occluded (Ruder et al.,
    equations 5 and 6).
    """
    forward_there = warp(forward, backward)
    gap = _squared_norm(forward_there + backward)
    magnitude = _squared_norm(forward_there) + _squared_norm(backward)
    consistent = gap <= 0.01 * magnitude + 0.5
    gradients = np.concatenate(np.gradient(backward, axis=(0, 1)), axis=-1)
    boundary = _squared_norm(gradients) > 0.01 * _squared_norm(backward) + 0.002
    return np.asarray(consistent & ~boundary, np.float32)


def warping_error(before: Image, after: Image, backward: Fields, reliable: Mask) -> float:
    """Root mean square difference of `after` from `before` warped, where flow is reliable."""
    squares = np.square(after - warp(before, backward)).mean(axis=-1)
    return float(np.sqrt((reliable * squares).sum() / max(reliable.sum(), 1.0)))


def to_image(picture: Picture) -> Image:
    """OpenCV's blue, green, red bytes as red, green, blue of 0..1."""
    return np.asarray(picture[..., ::-1] / np.float32(255), np.float32)


def to_picture(image: Image) -> Picture:
    """Red, green, blue of 0..1 as OpenCV's blue, green, red bytes."""
    return np.ascontiguousarray(np.rint(image[..., ::-1] * 255).astype(np.uint8))


def _similar(before: Picture, after: Picture, backward: Fields) -> Mask:
    """1 where `after` has the colour of `before` warped to it.

    Flow alone finds no motion in flat pictures, whatever follows them.
    """
    gap = cv2.absdiff(warp(before.astype(np.float32), backward), after.astype(np.float32))
    return np.asarray(gap.max(axis=-1) < MAX_COLOUR_CHANGE, np.float32)


def _squared_norm(field: Fields) -> Fields:
    return np.asarray(np.square(field).sum(axis=-1), np.float32)
