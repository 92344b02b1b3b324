"""A bundle as an MLflow model that carries the code which answers for it."""

import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from pipeline.files import code_files
from pipeline.tracking.lookup import BUNDLE_FOLDER

LOADER = "pipeline.inference.pyfunc"  # the module that MLflow asks for the model
_ROOT = Path(__file__).parents[2]
# What arrays of frames need, and what videos need beside.
_REQUIREMENTS = ("ai-edge-litert", "numpy", "av", "opencv-python-headless")
# Rows of videos, each given in one of three ways.
_INPUTS = Schema(
    [
        ColSpec("string", "video", required=False),
        ColSpec("string", "path", required=False),
        ColSpec(AnyType(), "frames", required=False),
    ]
)


def save_bundle(bundle: Path, path: Path, mlflow_model: Model) -> None:
    """Write the MLflow model to `path`; `mlflow.keras.load_model` reads its Keras file, too."""
    # MLflow appends the suffix.
    keras_file = f"{BUNDLE_FOLDER}/model"
    mlflow_model.add_flavor("keras", data=keras_file, keras_version=version("keras"))
    # Not as an argument: then MLflow would ask for an example, and run the model on it.
    mlflow_model.signature = ModelSignature(inputs=_INPUTS)
    with TemporaryDirectory() as folder:
        source = Path(folder, Path(BUNDLE_FOLDER).name)
        source.symlink_to(bundle.absolute())
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=mlflow_model,
            loader_module=LOADER,
            data_path=str(source),
            code_paths=[str(copy_code(LOADER, Path(folder)))],
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
        )


def copy_code(module: str, folder: Path) -> Path:
    """Copy what `module` of this package imports to `folder`, and no more; the package's folder."""
    for file in code_files(module):
        target = folder / file.relative_to(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    for room in [path for path in (folder / "pipeline").rglob("*") if path.is_dir()]:
        init = _ROOT / room.relative_to(folder) / "__init__.py"
        shutil.copy(init, room)
    return folder / "pipeline"
