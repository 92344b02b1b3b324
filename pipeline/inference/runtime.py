"""Networks of a bundle on LiteRT: windows in, logits and features out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from pipeline.errors import BundleError
from pipeline.inference.calibration import clip_logits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Outputs(NamedTuple):
    """What a network says of windows: logits float32 [N, classes], features float32 [N, D]."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    def by_clip(self) -> Outputs:
        """Those of clips, from their windows' [clips, windows, classes] and [clips, windows, D]."""
        return Outputs(clip_logits(self.logits), self.features.mean(axis=1))


class LiteRT:
    """A .tflite file; called with windows float32 [N, T, H, W, C], it answers one by one."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        try:
            interpreter = Interpreter(str(path), num_threads=threads)
            interpreter.allocate_tensors()
            self._run = interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a network that LiteRT runs: {error}") from error

    def __call__(self, windows: NDArray[np.float32]) -> Outputs:
        """What the network says of each window."""
        answers = [self._run(window=window[None]) for window in windows]
        return Outputs(
            *(np.concatenate([each[name] for each in answers]) for name in Outputs._fields)
        )


class Onnx:
    """An .onnx file on ONNX Runtime; called as LiteRT is."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        import onnxruntime  # here, since few need it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(path, options)
        except Exception as error:  # its own classes are not part of its interface
            raise BundleError(f"{path} is not a network that ONNX Runtime runs: {error}") from error

    def __call__(self, windows: NDArray[np.float32]) -> Outputs:
        """What the network says of each window."""
        names = list(Outputs._fields)
        answers = [self._session.run(names, {"window": window[None]}) for window in windows]
        return Outputs(*map(np.concatenate, zip(*answers, strict=True)))
