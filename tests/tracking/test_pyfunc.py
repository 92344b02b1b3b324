"""A bundle as an MLflow model: it carries its code, and needs little to answer."""

import json
import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pytest
from mlflow.models import Model

from pipeline.files import code_files
from pipeline.tracking.pyfunc import LOADER, copy_code, save_bundle
from tests.inference.example import SAMPLING

# Loads the model argv[1] and answers frames, where no other package than LiteRT and NumPy of those
# that this project brings along can be imported, and the project itself only from the model.
ANSWERS = """
import json, sys
import mlflow, numpy as np

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in json.loads(sys.argv[2]):
            raise ModuleNotFoundError(f"{name} is absent", name=name)

sys.meta_path.insert(0, Absent())
model = mlflow.pyfunc.load_model(sys.argv[1])
frames = np.zeros((20, *json.loads(sys.argv[3]), 3), np.uint8)
print(json.dumps(model.predict([{"frames": frames}])))
print(sys.modules["pipeline"].__file__)
"""
ABSENT = ["tensorflow", "keras", "cv2", "av", "onnx", "onnxruntime", "pyarrow.parquet", "grimp"]


@pytest.fixture(scope="module")
def saved(bundles, tiny_model, tmp_path_factory):
    """The MLflow model of a bundle that holds a Keras file, too."""
    folder = tmp_path_factory.mktemp("saved")
    bundle = shutil.copytree(bundles / "rgb", folder / "exported")
    shutil.copy(tiny_model, bundle)
    save_bundle(bundle, folder / "model", Model())
    return folder / "model"


def test_frames_need_litert_and_numpy_alone(saved, tmp_path):
    size = [SAMPLING.height, SAMPLING.width]
    command = [sys.executable, "-c", ANSWERS, saved, json.dumps(ABSENT), json.dumps(size)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer, module = done.stdout.splitlines()
    assert json.loads(answer)[0]["seconds"] == 2.5
    assert module == str(saved / "code/pipeline/__init__.py")


def test_the_code_that_it_carries_is_what_it_imports_and_no_more(saved, tmp_path):
    carried = {path.relative_to(saved / "code") for path in (saved / "code").rglob("*.py")}
    root = code_files(LOADER)[0].parents[1]
    needed = {path.relative_to(root) for path in code_files(LOADER)}
    assert needed <= carried
    assert {path.name for path in carried - needed} <= {"__init__.py"}
    rooms = {path.parts[1] for path in carried if len(path.parts) > 2}
    assert not rooms & {"training", "models", "tracking", "commands", "stages"}
    assert copy_code(LOADER, tmp_path) == tmp_path / "pipeline"


def test_it_can_be_loaded_by_keras_too(saved):
    assert mlflow.keras.load_model(str(saved)).output_shape == (None, 3)


def test_it_says_how_videos_are_given(saved):
    signature = Model.load(str(saved)).signature
    assert signature.inputs.input_names() == ["video", "path", "frames"]
    assert not signature.inputs.required_input_names()
    requirements = (saved / "requirements.txt").read_text()
    assert "ai-edge-litert==" in requirements
    assert "tensorflow" not in requirements
    assert np.__version__ in requirements
