"""Runtimes refuse what is not a network of theirs."""

import pytest

from pipeline.errors import BundleError
from pipeline.inference.runtime import LiteRT, Onnx


@pytest.mark.parametrize(
    ("runtime", "file", "name"),
    [(LiteRT, "float32.tflite", "LiteRT"), (Onnx, "model.onnx", "ONNX Runtime")],
)
@pytest.mark.parametrize("content", [b"", b"not a network" * 100])
def test_a_file_that_is_not_a_network_is_an_error_that_names_it(
    tmp_path, runtime, file, name, content
):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{file} is not a network that {name} runs"):
        runtime(tmp_path / file)
