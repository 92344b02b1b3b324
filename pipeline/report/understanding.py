"""The report's part on single clips: the most misclassified, and activation maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.mistakes import MisclassifiedClip
from pipeline.report.html import Section, template


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
    shown = [(sheets[each.clip], each.clip, _caption(each)) for each in clips]
    body = template("understanding.html").misclassified(pairs, models, shown)
    return Section("Most misclassified", body)


def activation_maps(maps: Sequence[ClipMaps]) -> Section:
    """One clip per class, under the maps of every model."""
    return Section("Activation maps", template("understanding.html").activation_maps(maps))


def _caption(each: MisclassifiedClip) -> str:
    by_guess: dict[str, list[str]] = {}
    for model, guess in each.predicted.items():
        by_guess.setdefault(guess, []).append(model)
    wrong = "; ".join(f"{guess} by {', '.join(models)}" for guess, models in by_guess.items())
    return f"{each.clip.rpartition('/')[2]} ({each.class_name}) was classified as {wrong}."
