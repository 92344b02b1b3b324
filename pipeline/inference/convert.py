"""A trained network in the forms that other runtimes read."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    import numpy as np
    from numpy.typing import NDArray

    Windows = NDArray[np.float32]

FILES = {
    "float32": "float32.tflite",
    "float16": "float16.tflite",
    "int8": "int8.tflite",
    "onnx": "model.onnx",
}


def convert(model: Path, folder: Path, calibration: Windows) -> None:
    """Write all FILES of a .keras file into `folder`; int8 takes its ranges from `calibration`.

    In a process of its own, since converters end by a signal where others raise an error. Raises a
    BundleError that names the form.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_quiet) as pool:
        made = {
            form: pool.submit(_write, form, model, folder / file, calibration)
            for form, file in FILES.items()
        }
        for form, future in made.items():
            try:
                future.result()
            except BrokenProcessPool as error:
                raise BundleError(_failure(model, form, "the converter crashed")) from error
            except Exception as error:
                raise BundleError(_failure(model, form, str(error))) from error


def _failure(model: Path, form: str, reason: str) -> str:
    return (
        f"{model} cannot be converted to {form}: {reason}; if its architecture is new, look for a "
        "layer of it that pipeline/inference/deployment.py has no rule for"
    )


def _quiet() -> None:
    """TensorFlow's interpreter, which its own converter uses, asks for another to be used."""
    import warnings

    warnings.simplefilter("ignore")


def _write(form: str, model: Path, target: Path, calibration: Windows) -> None:
    network = _deployed(model)
    if form == "onnx":
        network.export(target, format="onnx", input_signature=_signature(network), verbose=False)
        return
    network.export(
        target,
        format="litert",
        input_signature=_signature(network),
        verbose=False,
        **_settings(form, calibration),
    )


@cache
def _deployed(model: Path) -> keras.Model:
    import keras

    from pipeline.inference.deployment import deployment_form

    return deployment_form(keras.saving.load_model(model, compile=False))


def _signature(network: keras.Model) -> list[Any]:
    """One window at a time: with a batch of any size, LiteRT would have no shapes to plan by."""
    import tensorflow as tf

    return [tf.TensorSpec((1, *network.input_shape[1:]), name=network.input.name)]


def _settings(form: str, calibration: Windows) -> dict[str, Any]:
    """What the converter is told: never operations that LiteRT alone does not have."""
    import tensorflow as tf

    plain = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    optimized = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if form == "float16":
        return {"target_spec": plain | {"supported_types": [tf.float16]}, **optimized}
    if form == "int8":
        integers = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}
        windows = [{"window": window[None]} for window in calibration]
        return {
            "target_spec": integers,
            "representative_dataset": lambda: iter(windows),
            **optimized,
        }
    return {"target_spec": plain}
