"""What MLflow loads of a bundle answers tables of videos."""

import base64

import numpy as np
import pandas as pd
import pytest

from pipeline.inference.answers import answer_document
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.inference.pyfunc import _load_pyfunc
from tests.inference.example import SAMPLING


@pytest.fixture(scope="module")
def model(bundles):
    return _load_pyfunc(str(bundles / "rgb"))


@pytest.fixture(scope="module")
def video(clips):
    return clips[0].path


def test_a_video_has_the_same_answer_by_path_and_by_content(model, bundles, video):
    content = base64.b64encode(video.read_bytes()).decode()
    rows = pd.DataFrame({"path": [str(video), None], "video": [None, content]})
    by_path, by_content = model.predict(rows)
    assert by_path == by_content
    answer = classify_video(Classifier.load([bundles / "rgb"]), video)
    assert by_path == answer_document(answer)


def test_frames_are_answered(model):
    frames = np.zeros((20, SAMPLING.height, SAMPLING.width, 3), np.uint8)
    by_array, by_list = model.predict(pd.DataFrame({"frames": [frames, frames.tolist()]}))
    assert by_array == by_list
    assert by_array["seconds"] == 20 / SAMPLING.fps


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"path": "nowhere.avi"}, "nowhere.avi"),
        ({"video": "no base64!"}, "base64"),
        ({"video": base64.b64encode(b"a text").decode()}, ""),
        ({"path": None}, "must give one of video, path, frames; this one gives 0"),
        ({"path": "a.avi", "video": ""}, "this one gives 2"),
        ({"frames": np.zeros((20, 5, 5, 3), np.uint8)}, "give [T, 24, 32, 3], 8 a second"),
        ({"frames": [[1, 2], [3]]}, ""),
        ({"frames": np.zeros((0, 24, 32, 3), np.uint8)}, "none of its frames"),
    ],
    ids=["no file", "no base64", "no video", "nothing", "two", "size", "ragged", "no frames"],
)
def test_a_bad_row_is_told_and_the_others_are_answered(model, video, row, reason):
    rows = pd.DataFrame([row, {"path": str(video)}]).astype(object)
    bad, good = model.predict(rows)
    assert reason in bad["error"]
    assert "probabilities" in good


def test_a_network_that_sees_flow_takes_videos_alone(bundles, video):
    flow = _load_pyfunc(str(bundles / "flow"))
    frames = np.zeros((20, SAMPLING.height, SAMPLING.width, 3), np.uint8)
    rows = pd.DataFrame([{"frames": frames}, {"path": str(video)}])
    bad, good = flow.predict(rows)
    assert "takes a video" in bad["error"]
    assert "probabilities" in good


def test_a_table_without_a_known_column_is_an_error(model):
    with pytest.raises(ValueError, match="give one of the columns video, path, frames"):
        model.predict(pd.DataFrame({"file": ["a.avi"]}))
