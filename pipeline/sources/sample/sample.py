"""The data set that the project draws itself, so that all runs on a machine without a network.

Nine classes of moving shapes, three pairs of which only the order of frames tells apart, in files
named as UCF101 names its own. This module stays light: `snapshot` imports it to list the clips.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.files import files_hash

CLASSES: tuple[str, ...] = (
    "Bouncing",
    "FanClosing",
    "FanOpening",
    "Gathering",
    "Growing",
    "Scattering",
    "Shrinking",
    "Spinning",
    "Swinging",
)
GROUPS, CLIPS = 25, 2


def _fingerprint(*modules: str) -> str:
    return files_hash(Path(__file__).with_name(f"{module}.py") for module in modules)[:16]


DRAWING_VERSION: str = _fingerprint("drawing", "filming")  # changes when the clips might


def sample_clips(classes: Sequence[str] | None = None) -> list[str]:
    """List the ids (`CLASS/v_CLASS_g01_c01`) of these classes (None: all), sorted."""
    return sorted(
        f"{name}/v_{name}_g{group:02}_c{clip:02}"
        for name in _checked(CLASSES if classes is None else classes)
        for group in range(1, GROUPS + 1)
        for clip in range(1, CLIPS + 1)
    )


def draw_sample(folder: Path, *, classes: Sequence[str], workers: int) -> None:
    """Draw the clips that `folder` lacks, as `folder/CLASS/v_CLASS_g01_c01.avi`.

    Bytes do not depend on `workers` (processes). A SourceError names a class that there is not.
    """
    clips = sample_clips(classes)
    # Here, not above: OpenCV and NumPy take longer to import than `snapshot` may take.
    from pipeline.sources.sample.filming import film

    film(clips, folder, workers=workers)


def _checked(classes: Sequence[str]) -> set[str]:
    unknown = sorted(set(classes) - set(CLASSES))
    if unknown:
        raise SourceError(
            f"dataset.classes names {', '.join(unknown)}, which the sample data set does not hold; "
            f"choose from {', '.join(CLASSES)}"
        )
    return set(classes)
