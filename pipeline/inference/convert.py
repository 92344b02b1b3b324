"""A trained network in the forms that other runtimes read."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras
    from numpy.typing import NDArray

    Windows = NDArray[np.float32]

FILES = {
    "float32": "float32.tflite",
    "float16": "float16.tflite",
    "int8": "int8.tflite",
    "onnx": "model.onnx",
}
INPUT = "window"
_RANGES = "ranges.npy"


@contextmanager
def conversion(model: Path, folder: Path, ranges: Windows) -> Iterator[Callable[[str], Path]]:
    """Write all FILES of a .keras file into `folder`, in another process, one after another.

    Gives a function that waits for a form and tells its file; it raises a BundleError that names
    the form. int8 takes the ranges of its integers from the windows `ranges`. In a process of its
    own, since converters end by a signal where others raise an error.
    """
    context = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory() as scratch,
        ProcessPoolExecutor(1, mp_context=context, initializer=_quiet) as pool,
    ):
        np.save(Path(scratch, _RANGES), ranges)
        made = {
            form: pool.submit(write_form, form, model, folder / file, Path(scratch))
            for form, file in FILES.items()
        }

        def wait_for(form: str) -> Path:
            try:
                made[form].result()
            except BrokenProcessPool as error:
                raise BundleError(_failure(model, form, "the converter crashed")) from error
            except Exception as error:
                raise BundleError(_failure(model, form, str(error))) from error
            return folder / FILES[form]

        try:
            yield wait_for
        finally:
            pool.shutdown(cancel_futures=True)


def _failure(model: Path, form: str, reason: str) -> str:
    return (
        f"{model} cannot be converted to {form}: {reason}; if its architecture is new, look for a "
        "layer of it that pipeline/inference/deployment.py has no rule for"
    )


def _quiet() -> None:
    """TensorFlow's converter uses an interpreter that warns of its own end."""
    import warnings

    warnings.simplefilter("ignore")


def write_form(form: str, model: Path, target: Path, scratch: Path) -> None:
    """Write one form; a form of LiteRT that is none of FILES has integer weights alone."""
    if form == "onnx":
        network = _deployed(model)
        network.export(target, format="onnx", input_signature=_signature(network), verbose=False)
        _scale_to_whole_pixels(target)
    else:
        target.write_bytes(_litert(form, model, scratch))


def _scale_to_whole_pixels(file: Path) -> None:
    """Round up what pictures are scaled by: 96 pixels times float32(160 / 96) are 159, cut off."""
    import onnx

    model = onnx.load(file)
    names = {node.input[2] for node in model.graph.node if node.op_type == "Resize"}
    for constant in model.graph.initializer:
        if constant.name in names:
            scales = onnx.numpy_helper.to_array(constant)
            rounded = np.where(scales % 1, np.nextafter(scales, np.float32(np.inf)), scales)
            constant.CopyFrom(onnx.numpy_helper.from_array(rounded, constant.name))
    onnx.save(model, file)


def _litert(form: str, model: Path, scratch: Path) -> bytes:
    import tensorflow as tf

    from pipeline.inference.compact import compact

    converter = tf.lite.TFLiteConverter.from_saved_model(_saved_model(model, scratch))
    # Never operations that LiteRT alone does not have.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form == "int8":
        ranges = np.load(scratch / _RANGES)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ({INPUT: each[None]} for each in ranges)
    return compact(converter.convert())


@cache
def _saved_model(model: Path, scratch: Path) -> str:
    """A folder in TensorFlow's own format, which the converter to LiteRT reads."""
    import keras

    network = _deployed(model)
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serve",
        lambda window: network(window, training=False),
        input_signature=_signature(network),
    )
    archive.write_out(scratch / "saved_model", verbose=False)
    return str(scratch / "saved_model")


@cache
def _deployed(model: Path) -> keras.Model:
    import keras

    from pipeline.inference.deployment import deployment_form

    return deployment_form(keras.saving.load_model(model, compile=False))


def _signature(network: keras.Model) -> list[Any]:
    """One window at a time: LiteRT plans ahead only for shapes that it knows."""
    import tensorflow as tf

    return [tf.TensorSpec((1, *network.input_shape[1:]), name=INPUT)]
