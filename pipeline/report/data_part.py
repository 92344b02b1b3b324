"""The report's part on the data: what stage `explore` found, in sentences."""

import json
from pathlib import Path
from typing import Any

from pipeline.report.html import Section, template

Classes = dict[str, dict[str, float]]

_LIMIT = 200  # of the clips left out that are named; the file beside the report has them all


def lead(folder: Path) -> str:
    """The data in one sentence, from what `explore` wrote to `folder`."""
    found = _read(folder / "metrics.json")
    return (
        f"{_many(found['clips'], 'clip')} of {_many(found['groups'], 'group')} in "
        f"{_many(len(found['classes']), 'class', 'classes')}; "
        f"half of them last longer than {found['duration']['median']:.1f} s."
    )


def sections(folder: Path) -> list[Section]:
    """The sections on the data, from what `explore` wrote to `folder`."""
    found = _read(folder / "metrics.json")
    classes: Classes = found["classes"]
    part = template("data_part.html")
    figures = {path.stem: path.read_bytes() for path in (folder / "figures").glob("*.png")}
    rows = [_cells(name, one) for name, one in classes.items()]
    durations = _durations(found["duration"], classes)
    sheets = {path.stem: path.read_bytes() for path in sorted((folder / "sheets").glob("*.jpg"))}
    bodies = {
        "Classes and splits": part.counts(classes.values(), rows, _evenness(classes), figures),
        "How long clips last": part.lengths(durations, found["frames"], figures),
        "Colours": part.colours(_channels(classes), _tones(classes), figures),
        "Motion": part.motion(_speeds(classes), figures),
        "Contact sheets": part.sheets(sheets),
        "Clips left out": part.left_out(_read(folder / "left_out.json"), found["clips"], _LIMIT),
    }
    return [Section(heading, body) for heading, body in bodies.items()]


def _cells(name: str, one: dict[str, float]) -> tuple[object, ...]:
    counts = (one[column] for column in ("clips", "train", "validation", "test", "groups"))
    return name, *counts, f"{one['duration']:.1f} s", f"{one['frames']:g}"


def _evenness(classes: Classes) -> str:
    fewest, most = _ends(classes, "clips")
    low, high = classes[fewest]["clips"], classes[most]["clips"]
    if low == high:
        return f"Every class has {low} clips."
    return f"The classes hold between {low} ({fewest}) and {high} ({most}) clips."


def _durations(all_clips: dict[str, float], classes: Classes) -> str:
    shortest, longest = _ends(classes, "duration")
    skew = (
        " A few long ones pull the mean above the median: the distribution leans right."
        if all_clips["mean"] > 1.05 * all_clips["median"]
        else ""
    )
    return (
        f"{all_clips['between_2_and_10_s']:.0%} of the clips last between 2 and 10 s; the median "
        f"is {all_clips['median']:.1f} s, the shortest {all_clips['shortest']:.1f} s, the longest "
        f"{all_clips['longest']:.1f} s.{skew} By class, medians go from "
        f"{classes[shortest]['duration']:.1f} s ({shortest}) to "
        f"{classes[longest]['duration']:.1f} s ({longest})."
    )


def _channels(classes: Classes) -> str:
    """Which class leans most to each colour, where it does so at all."""
    leanings = []
    for channel in ("red", "green", "blue"):
        name, lean = max(
            ((name, _lean(each, channel)) for name, each in _seen(classes, channel).items()),
            key=lambda pair: pair[1],
        )
        if lean > 0.01:
            leanings.append(f"{name} to {channel} (+{lean:.0%})")
    if not leanings:
        return "No class leans to a colour: red, green and blue are alike bright in all of them."
    return (
        f"The classes that lean most to a colour: {', '.join(leanings)}; in brackets, by how much "
        "of full brightness that channel stands above the mean of the three."
    )


def _lean(one: dict[str, float], channel: str) -> float:
    return one[channel] - (one["red"] + one["green"] + one["blue"]) / 3


def _tones(classes: Classes) -> str:
    pale, vivid = _ends(classes, "saturation")
    dark, bright = _ends(classes, "brightness")
    return (
        f"{vivid} has the most saturated pictures ({classes[vivid]['saturation']:.0%}), {pale} the "
        f"palest ({classes[pale]['saturation']:.0%}); {bright} the brightest "
        f"({classes[bright]['brightness']:.0%}), {dark} the darkest "
        f"({classes[dark]['brightness']:.0%})."
    )


def _speeds(classes: Classes) -> str:
    slowest, fastest = _ends(classes, "speed")
    low, high = classes[slowest]["speed"], classes[fastest]["speed"]
    times = f", {high / low:.0f} times as fast as" if low and high / low >= 1.5 else "; slowest is"
    return (
        f"{fastest} moves most: in the median clip, a point crosses {high:.1%} of the picture's "
        f"width per second{times} {slowest} ({low:.1%}). The camera's own motion counts here; "
        "networks see flow without its mean."
    )


def _ends(classes: Classes, measure: str) -> tuple[str, str]:
    """The classes with the smallest and the largest value."""
    seen = _seen(classes, measure)
    return (
        min(seen, key=lambda name: seen[name][measure]),
        max(seen, key=lambda name: seen[name][measure]),
    )


def _seen(classes: Classes, measure: str) -> Classes:
    return {name: each for name, each in classes.items() if measure in each}


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
