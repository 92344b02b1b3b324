"""How the sample data set is drawn: seeded scenes, each frame drawable by its index alone.

A group is an `Appearance`, a clip of it a `Trajectory` through it; neither knows its class. What
moves, and how, makes the class; and the second class of a pair is the first one played backwards,
so that only the order of frames tells the two apart.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, radians, sin, tau
from zlib import crc32

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 320, 240, 25
FEWEST, MOST = 54, 70  # frames of a clip: 2.16 to 2.8 s
MARGIN = 24  # canvas around the picture, for the camera to shake in
SUBPIXEL = 4  # bits after the point in OpenCV's coordinates, so that slow motion is smooth

Image = NDArray[np.uint8]
Points = NDArray[np.floating]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Wave:
    """A wandering value: two sine waves that never quite repeat."""

    amplitude: float
    hertz: float
    phase: float

    def at(self, seconds: float) -> float:
        """Return the value at that time, within ± amplitude."""
        turn = tau * self.hertz * seconds + self.phase
        return self.amplitude * (0.6 * sin(turn) + 0.4 * sin(1.7 * turn + 1))


@dataclass(frozen=True)
class Distractor:
    """A small shape that wanders about and means nothing."""

    outline: Points
    colour: Colour
    x: float
    y: float
    sway: tuple[Wave, Wave]


@dataclass(frozen=True)
class Appearance:
    """What the clips of a group share."""

    background: Image
    turn: float
    tint: float
    saturation: float
    value: float
    accent: Colour
    radius: float
    speed: float
    shake: float
    flicker: float
    distractors: tuple[Distractor, ...]

    def colour(self, hue: float) -> Colour:
        """Return the group's shade of a hue (0..1)."""
        return _colour(hue + self.tint, self.saturation, self.value)


@dataclass(frozen=True)
class Trajectory:
    """What differs between the clips of a group; `phase` in cycles, `angle` in radians."""

    frames: int
    x: float
    y: float
    phase: float
    pace: float
    side: int
    angle: float
    reach: float
    drift: Wave
    camera: tuple[Wave, Wave]
    light: Wave


Motion = Callable[[Image, Appearance, Trajectory, float], None]


@dataclass(frozen=True)
class Scene:
    """One clip: who moves how, where, and whether it is shown backwards."""

    motion: Motion
    appearance: Appearance
    trajectory: Trajectory
    backwards: bool

    def __len__(self) -> int:
        return self.trajectory.frames

    def frame(self, index: int) -> Image:
        """Draw the picture with that index: uint8 [240, 320, 3], BGR."""
        seconds = (len(self) - 1 - index if self.backwards else index) / FPS
        canvas = self.appearance.background.copy()
        for distractor in self.appearance.distractors:
            _draw_distractor(canvas, distractor, seconds)
        self.motion(canvas, self.appearance, self.trajectory, seconds)
        return _film(canvas, self.trajectory, seconds)


def scene_of(clip: str) -> Scene:
    """Set up the scene of a clip of the data set, by its id (`CLASS/v_CLASS_g01_c01`)."""
    group = clip.rpartition("_")[0]
    class_name = clip.partition("/")[0]
    return scene(class_name, group=appearance(crc32(group.encode())), seed=crc32(clip.encode()))


def scene(class_name: str, *, group: Appearance, seed: int) -> Scene:
    """Set up the clip of that class which a seed gives in the world of a group."""
    motion, backwards = MOTIONS[class_name]
    return Scene(motion, group, _trajectory(default_rng(seed), group), backwards)


RED, YELLOW, GREEN, TEAL, BLUE, PURPLE = 0.0, 0.16, 0.33, 0.48, 0.62, 0.8  # hues


# What a group looks like


@lru_cache(maxsize=1)  # a group's clips are drawn one after the other
def appearance(seed: int) -> Appearance:
    """Invent the world of a group: background, object, speed and camera, all from one seed."""
    rng = default_rng(seed)
    hue, dark = rng.random(), rng.random() < 0.5
    return Appearance(
        background=_background(rng, hue, dark=dark),
        turn=rng.uniform(0, tau),
        tint=rng.uniform(-0.03, 0.03),
        saturation=rng.uniform(0.75, 0.95),
        value=rng.uniform(0.9, 1.0) if dark else rng.uniform(0.65, 0.85),
        accent=_colour(hue, 0.2, 0.25 if dark else 1.0),
        radius=rng.uniform(44, 58),
        speed=rng.uniform(0.85, 1.2),
        shake=rng.uniform(0.5, 3),
        flicker=rng.uniform(0.01, 0.05),
        distractors=tuple(_distractor(rng, hue) for _ in range(rng.integers(0, 3))),
    )


def _background(rng: Generator, hue: float, *, dark: bool) -> Image:
    values = (0.12, 0.45) if dark else (0.6, 1.0)
    near, far = (
        np.array(
            _colour(hue + rng.uniform(-0.12, 0.12), rng.uniform(0.05, 0.25), value), np.float32
        )
        for value in values
    )
    size = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    blend = np.clip(_clouds(rng, size) + _pattern(rng, size), 0, 1)[..., None]
    return (near + (far - near) * blend).astype(np.uint8)


def _clouds(rng: Generator, size: tuple[int, int]) -> Points:
    """Noise from coarse to fine, float32 [height, width] around 0.5."""
    noise = np.full(size[::-1], 0.5, np.float32)
    for cells, weight in ((3, 0.5), (9, 0.25), (40, rng.uniform(0.05, 0.3))):
        grid = rng.uniform(-weight, weight, size=(cells, cells + 1)).astype(np.float32)
        noise += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    return noise


def _pattern(rng: Generator, size: tuple[int, int]) -> Points:
    """Nothing, stripes, checks or dots, turned at will: float32 [height, width] around 0."""
    y, x = (steps.astype(np.float32) for steps in np.ogrid[: size[1], : size[0]])
    angle, frequency, strength = rng.uniform(0, pi), rng.uniform(0.1, 0.28), rng.uniform(0.1, 0.25)
    step = frequency * cos(angle), frequency * sin(angle)
    across, along = np.sin(step[0] * x + step[1] * y), np.sin(step[0] * y - step[1] * x)
    kinds = (0 * across, np.tanh(4 * across), np.tanh(8 * across * along), across * along)
    return strength * kinds[rng.integers(len(kinds))]


def _distractor(rng: Generator, hue: float) -> Distractor:
    outline = OUTLINES[rng.integers(len(OUTLINES))] * rng.uniform(6, 11)
    return Distractor(
        outline=_turned(outline, rng.uniform(0, tau)),
        colour=_colour(hue + rng.uniform(0.1, 0.9), 0.5, rng.uniform(0.3, 0.9)),
        x=rng.uniform(0, WIDTH),
        y=rng.uniform(0, HEIGHT),
        sway=(_wave(rng, 20, 0.1, 0.3), _wave(rng, 20, 0.1, 0.3)),
    )


def _trajectory(rng: Generator, group: Appearance) -> Trajectory:
    return Trajectory(
        frames=int(rng.integers(FEWEST, MOST + 1)),
        x=WIDTH / 2 + rng.uniform(-35, 35),
        y=HEIGHT / 2 + rng.uniform(-20, 20),
        phase=rng.random(),
        pace=group.speed * rng.uniform(0.92, 1.08),
        side=int(rng.choice((-1, 1))),
        angle=rng.uniform(0, tau),
        reach=rng.uniform(0.85, 1.15),
        drift=_wave(rng, 14, 0.2, 0.5),
        camera=(_wave(rng, group.shake, 0.4, 2), _wave(rng, group.shake, 0.4, 2)),
        light=_wave(rng, group.flicker, 0.5, 4),
    )


def _wave(rng: Generator, amplitude: float, slowest: float, fastest: float) -> Wave:
    return Wave(amplitude, rng.uniform(slowest, fastest), rng.uniform(0, tau))


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)


# How the object of each class moves; cycles a second are chosen for what 8 frames a second show


def _progress(path: Trajectory, seconds: float) -> float:
    """Return how far a change that fills the clip has come, from about 0 to about 1."""
    share = seconds * FPS / (path.frames - 1)
    return 0.5 + min(0.5, 0.4 * path.pace) * (2 * share - 1)


def _grow(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    place = path.x + path.drift.at(seconds), path.y
    size = group.radius * (0.3 + 1.2 * _progress(path, seconds))
    _draw_object(canvas, group, _turned(ELLIPSE, group.turn) * size, place, group.colour(RED))


def _scatter(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    distance = 2.1 * group.radius * _progress(path, seconds)
    outline = _turned(STAR, group.turn) * group.radius * 0.5
    for angle in path.angle + np.arange(5) * tau / 5:
        place = path.x + distance * cos(angle), path.y + distance * sin(angle)
        _draw_object(canvas, group, outline, place, group.colour(YELLOW))


def _open_fan(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    place = path.x + path.drift.at(seconds), path.y
    spread = radians(20 + 300 * _progress(path, seconds))
    edges = path.angle + spread * np.linspace(-0.5, 0.5, 37)
    rim = 1.7 * group.radius * np.stack([np.cos(edges), np.sin(edges)], axis=1)
    _fill(canvas, np.vstack([[0, 0], rim]), place, group.colour(PURPLE))
    for rib in rim[::6]:
        _fill(canvas, np.array([[0, 0], rib]), place, group.accent, width=3)


def _spin(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    turn = path.angle + path.side * tau * 0.55 * path.pace * seconds
    place = path.x + path.drift.at(seconds), path.y
    outline = _turned(RECTANGLE, turn) * group.radius * 1.1
    _draw_object(canvas, group, outline, place, group.colour(GREEN))


def _bounce(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    cycle = (path.phase + 0.8 * path.pace * seconds) % 1
    height = 4 * cycle * (1 - cycle)
    squash = 1 - 0.35 * max(0.0, 1 - 5 * height)
    outline = _turned(TRIANGLE, group.turn) * group.radius * (1 / squash, squash)
    floor = HEIGHT - 8 - group.radius * squash
    y = floor - 105 * path.reach * height
    _draw_object(canvas, group, outline, (path.x + path.drift.at(seconds), y), group.colour(BLUE))


def _swing(canvas: Image, group: Appearance, path: Trajectory, seconds: float) -> None:
    swing = sin(tau * (path.phase + 0.6 * path.pace * seconds))
    angle = path.side * radians(42) * path.reach * swing
    rope = 130 * path.reach * np.array([sin(angle), cos(angle)])
    pivot = (path.x, path.y - 110)
    _fill(canvas, np.array([[0, 0], rope]), pivot, group.accent, width=4)
    outline = _turned(TREFOIL, group.turn - angle) * group.radius * 0.9
    place = pivot[0] + rope[0], pivot[1] + rope[1]
    _draw_object(canvas, group, outline, place, group.colour(TEAL))


MOTIONS: dict[str, tuple[Motion, bool]] = {  # class: its motion, and whether shown backwards
    "Bouncing": (_bounce, False),
    "FanClosing": (_open_fan, True),
    "FanOpening": (_open_fan, False),
    "Gathering": (_scatter, True),
    "Growing": (_grow, False),
    "Scattering": (_scatter, False),
    "Shrinking": (_grow, True),
    "Spinning": (_spin, False),
    "Swinging": (_swing, False),
}


# Brushes


def _polar(*radii: float) -> Points:
    """Outline through these distances from the centre, one each equal turn."""
    turns = np.linspace(0, tau, len(radii), endpoint=False)
    outline: Points = np.stack([np.cos(turns), np.sin(turns)], axis=1) * np.array(radii)[:, None]
    return outline


def _turned(outline: Points, angle: float) -> Points:
    turned: Points = outline @ np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    return turned


_TURNS = np.linspace(0, tau, 48, endpoint=False)
# What moves in each motion: all about 1 in radius, none the same after a quarter turn.
TRIANGLE = _polar(1.15, 1.15, 1.15)
STAR = _polar(*[1.15, 0.55] * 5)
TREFOIL = _polar(*(0.82 + 0.22 * np.cos(3 * _TURNS)))
ELLIPSE: Points = np.stack([1.1 * np.cos(_TURNS), 0.75 * np.sin(_TURNS)], axis=1)
RECTANGLE: Points = np.array([[-1, -0.7], [1, -0.7], [1, 0.7], [-1, 0.7]])
OUTLINES = (TRIANGLE, STAR, TREFOIL, ELLIPSE, RECTANGLE)


def _draw_object(
    canvas: Image,
    group: Appearance,
    outline: Points,
    place: tuple[float, float],
    colour: Colour,
) -> None:
    layer = canvas.copy()
    _fill(layer, outline, (place[0] + 6, place[1] + 8), (20, 20, 20))
    cv2.addWeighted(layer, 0.3, canvas, 0.7, 0, dst=canvas)
    _fill(canvas, outline, place, colour)
    # An off-centre mark, so that even a round shape shows how it turns.
    _fill(canvas, outline * 0.42 + outline[0] * 0.35, place, group.accent)


def _draw_distractor(canvas: Image, distractor: Distractor, seconds: float) -> None:
    sideways, upwards = distractor.sway
    place = distractor.x + sideways.at(seconds), distractor.y + upwards.at(seconds)
    _fill(canvas, distractor.outline, place, distractor.colour)


def _fill(
    canvas: Image, points: Points, place: tuple[float, float], colour: Colour, *, width: int = 0
) -> None:
    """Fill the outline around `place` (in picture coordinates), or draw a line `width` wide."""
    fixed = np.rint((points + place + MARGIN) * (1 << SUBPIXEL)).astype(np.int32)
    if width:
        cv2.polylines(canvas, [fixed], False, colour, width, cv2.LINE_AA, SUBPIXEL)
    else:
        cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, SUBPIXEL)


def _film(canvas: Image, path: Trajectory, seconds: float) -> Image:
    """Cut the picture out of the canvas where the camera looks, in the light of the moment."""
    sideways, upwards = (wave.at(seconds) for wave in path.camera)
    centre = ((canvas.shape[1] - 1) / 2 + sideways, (canvas.shape[0] - 1) / 2 + upwards)
    picture = cv2.getRectSubPix(canvas, (WIDTH, HEIGHT), centre)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=1 + path.light.at(seconds)))
