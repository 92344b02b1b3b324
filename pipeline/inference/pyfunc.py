"""What MLflow loads of a registered bundle: videos in, answers out.

MLflow carries this module and what it imports with the model. It runs on LiteRT and NumPy alone
where frames are given; PyAV and OpenCV are imported for the first video.
"""

from __future__ import annotations

import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import ClipError, PipelineError
from pipeline.inference.answers import answer_document
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.inference.windows import rgb_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pipeline.inference.classifier import Answer
    from pipeline.inference.windows import Step

GIVEN = ("video", "path", "frames")


def _load_pyfunc(path: str) -> BundleModel:
    """Called by MLflow with the bundle's folder."""
    return BundleModel(Path(path))


class BundleModel:
    """Answers tables with a row per video, in one column each way of giving it.

    `video`: the file's content in base64; `path`: a file where the model runs; `frames`: uint8
    [T, H, W, 3], red, green, blue, as many a second and as large as the card says.
    """

    def __init__(self, bundle: Path) -> None:
        self._classifier = Classifier.load([bundle])
        self._lock = Lock()  # servers ask from several threads, and an interpreter serves one

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """An answer per row of a data frame; of a video that failed, the reason as `error`."""
        if not set(rows.columns) & set(GIVEN):
            raise ValueError(f"no video is given; give one of the columns {', '.join(GIVEN)}")
        return [self._answer(row) for row in rows.to_dict("records")]

    def _answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with self._lock:
                return answer_document(self._classified(*_given(row)))
        except (PipelineError, OSError, ValueError, ImportError) as error:
            return {"error": str(error)}

    def _classified(self, way: str, value: Any) -> Answer:
        if way == "frames":
            return self._classifier.answer(self._steps(np.asarray(value, np.uint8)))
        if way == "path":
            return classify_video(self._classifier, Path(value))
        with TemporaryDirectory() as folder:
            path = Path(folder, "video")
            path.write_bytes(base64.b64decode(value, validate=True))
            return classify_video(self._classifier, path)

    def _steps(self, frames: NDArray[np.uint8]) -> Iterator[Step]:
        sampling = self._classifier.sampling
        expected = (sampling.height, sampling.width, 3)
        if frames.shape[1:] != expected:
            raise ClipError(
                f"frames are an array of shape {frames.shape}; give [T, {sampling.height}, "
                f"{sampling.width}, 3], {sampling.fps:g} a second"
            )
        if self._classifier.streams != {"rgb"}:
            raise ClipError("this model sees optical flow, which takes a video, not frames")
        return rgb_steps(frames)


def _given(row: Mapping[str, Any]) -> tuple[str, Any]:
    """How the row gives its video, and the value; empty cells of a table are NaN or None."""
    given = [
        (way, row[way])
        for way in GIVEN
        if way in row and row[way] is not None and not isinstance(row[way], float)
    ]
    if len(given) != 1:
        raise ClipError(f"a row must give one of {', '.join(GIVEN)}; this one gives {len(given)}")
    return given[0]
