"""The report's part on the data: what stage `explore` found, in sentences."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.report.html import Section, chart, heading, paragraph, photo, table

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
    missing: dict[str, str] = _read(folder / "left_out.json")
    classes: Classes = found["classes"]

    def figure(name: str, alt: str) -> str:
        return chart((folder / "figures" / f"{name}.png").read_bytes(), alt=alt)

    return [
        _counts(classes, figure),
        Section(
            "How long clips last",
            (
                paragraph(_durations(found["duration"], classes)),
                figure("durations", "Histograms of the clips' durations by class"),
                paragraph(_frames(found["frames"])),
                figure("frames", "Histograms of the clips' frame counts by class"),
            ),
        ),
        Section(
            "Colours",
            (
                paragraph(_channels(classes)),
                figure("colours", "Histograms of red, green and blue by class"),
                paragraph(_tones(classes)),
                figure("tones", "Saturation and brightness by class"),
            ),
        ),
        Section("Motion", (paragraph(_speeds(classes)), figure("speed", "Motion by class"))),
        _sheets(folder / "sheets"),
        _left_out(missing, found["clips"]),
    ]


def _counts(classes: Classes, figure: Callable[[str, str], str]) -> Section:
    head = ("class", "clips", "train", "validation", "test", "groups", "duration", "frames")
    columns = ("clips", "train", "validation", "test", "groups")
    rows = [
        (name, *(each[column] for column in columns), f"{each['duration']:.1f} s", each["frames"])
        for name, each in classes.items()
    ]
    totals = {split: sum(each[split] for each in classes.values()) for split in columns}
    text = (
        f"{totals['train']} clips train, {totals['validation']} validate and {totals['test']} "
        f"test. A group is the longer video that clips were cut from; no group is in two splits. "
        f"{_evenness(classes)}"
    )
    whole = table(head, [(*row[:-1], f"{row[-1]:g}") for row in rows])
    return Section("Classes and splits", (paragraph(text), figure("splits", text), whole))


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


def _frames(all_clips: dict[str, float]) -> str:
    return (
        f"Nine clips in ten have between {all_clips['p5']:.0f} and {all_clips['p95']:.0f} frames, "
        "counted by decoding them."
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
        f"width a second{times} {slowest} ({low:.1%}). The camera's own motion counts here; "
        "networks see flow without its mean."
    )


def _sheets(folder: Path) -> Section:
    text = (
        "Training clips of different groups, each in a row from its start to its end. Below the "
        "frames is their optical flow: red moves right, yellow down, light blue left, magenta up; "
        "white stands still."
    )
    blocks = [paragraph(text)]
    for path in sorted(folder.glob("*.jpg")):
        blocks += [heading(path.stem), photo(path.read_bytes(), alt=f"Frames of {path.stem}")]
    return Section("Contact sheets", tuple(blocks))


def _left_out(missing: dict[str, str], used: int) -> Section:
    if not missing:
        return Section("Clips left out", (paragraph(f"None: all {used} clips could be decoded."),))
    rows = list(missing.items())[:_LIMIT]
    text = f"{_many(len(missing), 'clip')} could not be used, beside {used} that are."
    if len(missing) > len(rows):
        text += f" The first {len(rows)}:"
    return Section(
        "Clips left out", (paragraph(text), table(("clip", "reason"), rows, kind="words"))
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
