"""What the clips look like, in numbers: lengths, colours and motion, by clip and by class."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.dataset.catalogue import kept
from pipeline.shards.schema import Record
from pipeline.video.decode import Picture
from pipeline.video.flow import decode_field, decode_jpeg
from pipeline.video.pictures import contact_sheet, flow_colours

SAMPLED = 4  # frames of a clip that are measured
BINS = 32  # of a histogram
COLUMNS = 8  # frames of a clip on a contact sheet
SHOWN = 3  # clips of a class on its contact sheet
FULL_COLOUR = 1 / 16  # of a picture's width per sampled step: motion drawn in full colour

Numbers = dict[str, Any]  # nested dictionaries of numbers, as DVC compares them
_MEASURES = ["duration", "frames", "red", "green", "blue", "saturation", "brightness", "speed"]


@dataclass(frozen=True)
class ClipMeasures:
    """What was measured of one clip: shares in 0..1, `speed` in picture widths per second.

    `histogram` is float64 [3, BINS]: the shares of pixels by their red, green and blue.
    """

    clip: str
    histogram: np.ndarray
    red: float
    green: float
    blue: float
    saturation: float
    brightness: float
    speed: float


def measure_clip(record: Record) -> ClipMeasures:
    """Measure a few frames and flow fields, spread evenly over the clip."""
    half = cv2.IMREAD_REDUCED_COLOR_2  # a quarter of the pixels gives the same values
    frames = np.stack([decode_jpeg(record.frames[i], flags=half) for i in _spread(record, SAMPLED)])
    pixels = frames.reshape(-1, 3)[:, ::-1]
    red, green, blue = (pixels.mean(axis=0) / 255).tolist()
    hsv = cv2.cvtColor(frames.reshape(-1, *frames.shape[2:]), cv2.COLOR_BGR2HSV)
    _, saturation, brightness = (hsv.mean(axis=(0, 1)) / 255).tolist()
    return ClipMeasures(
        record.clip, _histogram(pixels), red, green, blue, saturation, brightness, _speed(record)
    )


def table_of(catalogue: pa.Table, measures: Iterable[ClipMeasures]) -> pd.DataFrame:
    """One row per clip in use: the catalogue's columns, and measures where a shard holds it."""
    columns = [name for name in ClipMeasures.__dataclass_fields__ if name != "histogram"]
    seen = pd.DataFrame([asdict(each) for each in measures], columns=[*columns, "histogram"])
    return kept(catalogue).to_pandas().merge(seen, on="clip", how="left", sort=True)


def left_out(catalogue: pa.Table, failed: Mapping[str, str]) -> dict[str, str]:
    """Clip → reason: those that `subset` quarantined, and those that `extract` found broken."""
    rows = catalogue.select(["clip", "kept", "reason"]).to_pylist()
    quarantined = {row["clip"]: row["reason"] for row in rows if not row["kept"]}
    return dict(sorted((quarantined | dict(failed)).items()))


def numbers_of(clips: pd.DataFrame, missing: Mapping[str, str]) -> Numbers:
    """What `dvc metrics` shows: counts, and medians of a clip's measures, in all and by class."""
    return {
        "clips": len(clips),
        "left_out": len(missing),
        "groups": int(clips["group"].nunique()),
        "duration": _spread_of(clips["duration"])
        | {"between_2_and_10_s": round(float(clips["duration"].between(2, 10).mean()), 4)},
        "frames": _spread_of(clips["frames"]),
        "classes": {str(name): _of_class(rows) for name, rows in clips.groupby("class_name")},
    }


def clips_to_show(catalogue: pa.Table) -> set[str]:
    """The first training clip of `SHOWN` groups of each class, spread evenly over its groups."""
    rows = kept(catalogue).to_pandas()
    firsts = rows[rows["split"] == "train"].groupby(["class_name", "group"])["clip"].min()
    chosen = (
        names.iloc[np.unique(np.linspace(0, len(names) - 1, SHOWN).round().astype(int))]
        for _, names in firsts.groupby(level="class_name")
    )
    return {str(name) for names in chosen for name in names}


def strip(record: Record) -> Picture:
    """A clip in a row: frames spread over it and, below each, its flow in colours."""
    places = _spread(record, COLUMNS)
    frames = np.stack([decode_jpeg(record.frames[i]) for i in places])
    fields = np.stack([decode_field(record.flow[i], record.flow_scale[i]) for i in places])
    colours = flow_colours(fields, largest=FULL_COLOUR * frames.shape[2])
    return contact_sheet(np.concatenate([frames, colours]), columns=COLUMNS)


def _spread(record: Record, count: int) -> list[int]:
    """`count` places over the clip; a shorter clip shows some twice."""
    return [int(place) for place in np.linspace(0, len(record.frames) - 1, count).round()]


def _histogram(pixels: np.ndarray) -> np.ndarray:
    counts = [np.bincount(pixels[:, i] // (256 // BINS), minlength=BINS) for i in range(3)]
    return np.stack(counts) / len(pixels)


def _speed(record: Record) -> float:
    """Mean length of the flow over a few fields, in picture widths per second; 0 for one frame."""
    steps = [after - now for now, after in pairwise(record.times)]
    places = [i for i in dict.fromkeys(_spread(record, SAMPLED)) if i < len(steps)]
    fields = [decode_field(record.flow[i], record.flow_scale[i]) / steps[i] for i in places]
    speeds = [float(np.hypot(*np.moveaxis(each, -1, 0)).mean()) / each.shape[1] for each in fields]
    return float(np.mean(speeds)) if speeds else 0.0


def _spread_of(values: pd.Series) -> dict[str, float]:
    shares = {"shortest": 0, "p5": 0.05, "median": 0.5, "p95": 0.95, "longest": 1}
    found = {name: float(values.quantile(share)) for name, share in shares.items()}
    return {name: round(value, 4) for name, value in (found | {"mean": values.mean()}).items()}


def _of_class(rows: pd.DataFrame) -> dict[str, float]:
    """Counts and medians; what no clip of the class was measured for is not there."""
    splits = {name: int((rows["split"] == name).sum()) for name in ("train", "validation", "test")}
    medians = rows[_MEASURES].median().dropna()
    return (
        {"clips": len(rows), "groups": int(rows["group"].nunique())}
        | splits
        | {str(name): round(float(value), 4) for name, value in medians.items()}
    )
