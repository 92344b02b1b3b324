"""LiteRT files without what the converter writes twice, or for people alone.

A quantized network has a scale and a zero point for each channel of each kernel and bias. All zero
points are 0, in 8 bytes each; together they are a tenth of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_ALIGNED = 16  # bytes that the schema asks for, of tensors' contents


def compact(file: bytes) -> bytes:
    """The same network: equal vectors written once, and no names of inner tensors."""
    model = schema.ModelT.InitFromPackedBuf(file)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
    builder = _SharingBuilder(len(file))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]  # it has no types
    """A builder that writes equal vectors once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], Any] = {}

    def CreateNumpyVector(self, x: NDArray[np.generic]) -> Any:  # noqa: N802 - its name
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: N802 - its name
        aligned = _ALIGNED if size == 1 else alignment
        return super().StartVector(size, count, aligned)
