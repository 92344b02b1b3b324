"""Class-activation maps as pictures: a window's frames, warm where they speak for its class."""

import cv2
import numpy as np

from pipeline.video.decode import Picture
from pipeline.video.pictures import contact_sheet, flow_colours

STRENGTH = 0.65  # of the colour where a map is 1


def strip(window: np.ndarray, maps: np.ndarray) -> Picture:
    """The frames of one window [T, H, W, C] (rgb or flow) in a row under its maps [T', h, w]."""
    frames = _pictures(window)
    places = np.arange(len(frames)) * len(maps) // len(frames)
    shown = [_warmed(frame, maps[place]) for frame, place in zip(frames, places, strict=True)]
    return contact_sheet(shown, columns=len(shown))


def _pictures(window: np.ndarray) -> Picture:
    """uint8 [T, H, W, 3] (blue, green, red)."""
    if window.shape[-1] == 2:
        return flow_colours(window)
    return np.ascontiguousarray(np.clip(window, 0, 255).astype(np.uint8)[..., ::-1])


def _warmed(frame: Picture, heat: np.ndarray) -> Picture:
    """The frame in grey, coloured by the map, the more the higher it is."""
    height, width = frame.shape[:2]
    share = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    colour = cv2.applyColorMap(np.uint8(255 * share), cv2.COLORMAP_INFERNO)
    mixed = grey + STRENGTH * share[..., None] * (colour.astype(np.float32) - grey)
    return np.asarray(np.rint(mixed), np.uint8)
