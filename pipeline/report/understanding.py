"""The report's part on single clips: the most misclassified, and activation maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.mistakes import MisclassifiedClip
from pipeline.report.html import Section, heading, paragraph, photo


@dataclass(frozen=True)
class ClipMaps:
    """A model's class-activation maps (a picture) of a clip, and the predicted class."""

    model: str
    class_name: str
    clip: str
    predicted: str
    picture: bytes


def misclassified(
    clips: Sequence[MisclassifiedClip],
    sheets: Mapping[str, bytes],
    pairs: Sequence[tuple[str, str, int]],
    models: int,
) -> Section:
    """The clips that most of the `models` models misclassify; `sheets` are pictures by clip."""
    shown = [
        photo(sheets[each.clip], alt=f"Frames of {each.clip}", caption=_caption(each))
        for each in clips
    ]
    return Section("Most misclassified", (paragraph(_pairs(pairs, models)), *shown))


def activation_maps(maps: Sequence[ClipMaps]) -> Section:
    """One clip per class, under the maps of every model."""
    blocks = [paragraph(_MAPS)]
    for name in dict.fromkeys(each.class_name for each in maps):
        same = [each for each in maps if each.class_name == name]
        blocks += [heading(f"{name}: {same[0].clip.rpartition('/')[2]}")]
        blocks += [photo(each.picture, alt=_answer(each), caption=_answer(each)) for each in same]
    return Section("Activation maps", tuple(blocks))


_MAPS = (
    "The window in the middle of the first test clip of each class, warm where and when it speaks "
    "for its class (Grad-CAM, Selvaraju et al. 2017, on the last map that has places; the "
    "strongest place of a window is brightest). The 3-D networks have merged neighbouring frames "
    "by then, so that these share a map; the LSTM networks have one for each frame."
)


def _pairs(pairs: Sequence[tuple[str, str, int]], models: int) -> str:
    if not pairs:
        return "No model misclassifies a test clip."
    named = [f"{one} and {other} ({times}×)" for one, other, times in pairs]
    return (
        f"Most often confused, in either direction, by {models} models: {', '.join(named)}. "
        "Below, the clips that most models misclassify, at most one of a group, from start to end."
    )


def _caption(each: MisclassifiedClip) -> str:
    by_guess: dict[str, list[str]] = {}
    for model, guess in each.predicted.items():
        by_guess.setdefault(guess, []).append(model)
    wrong = "; ".join(f"{guess} by {', '.join(models)}" for guess, models in by_guess.items())
    return f"{each.clip.rpartition('/')[2]} ({each.class_name}) was classified as {wrong}."


def _answer(each: ClipMaps) -> str:
    if each.predicted == each.class_name:
        return f"{each.model}: correct"
    return f"{each.model}: predicts {each.predicted}"
