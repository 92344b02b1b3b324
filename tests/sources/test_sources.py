import subprocess
import sys
import zipfile

import pytest

from pipeline.dataset.clips import UnreachableError
from pipeline.errors import SourceError
from pipeline.params import Dataset, Machine
from pipeline.sources.archive import ArchiveSource
from pipeline.sources.folder import FolderSource
from pipeline.sources.sample import sample
from pipeline.sources.sources import SampleSource, open_source
from pipeline.sources.ucf101 import Ucf101Source

MACHINE = Machine(mirrors=["http://127.0.0.1:9/a.zip"], timeout=1.0)


def opened(source, classes=None):
    return open_source(
        Dataset(source=str(source), classes=classes, validation=0.2, test=0.2), MACHINE
    )


def test_each_name_means_its_source(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert isinstance(opened("sample"), SampleSource)
    assert isinstance(opened("ucf101"), Ucf101Source)
    assert isinstance(opened(tmp_path), FolderSource)
    assert isinstance(opened(tmp_path / "a.zip"), ArchiveSource)


def test_a_missing_path_is_an_error_that_says_what_can_be_given():
    with pytest.raises(UnreachableError, match=r"nowhere: there is no file .* sample, ucf101"):
        opened("nowhere")


def test_a_relative_path_in_an_experiment_s_copy_of_the_project_says_why_it_is_not_there(
    tmp_path, monkeypatch
):
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "copy"
    copy.mkdir(parents=True)
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(copy)
    with pytest.raises(UnreachableError, match="absolute path for `dvc exp run --queue`") as caught:
        opened("clips")
    assert str(copy / "clips") in str(caught.value)


def test_the_sample_is_listed_without_being_drawn():
    listing = opened("sample", classes=["scattering"]).listing()
    assert listing["drawing"] == sample.DRAWING_VERSION
    assert listing["clips"] == sample.sample_clips(["Scattering"])


def test_the_sample_is_drawn_where_it_is_wanted(tmp_path, monkeypatch):
    def draw(folder, *, classes, workers):
        assert workers >= 1
        for clip in sample.sample_clips(classes):
            path = folder / f"{clip}.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"drawn")

    monkeypatch.setattr(sample, "draw_sample", draw)
    clips = opened("sample", classes=["Scattering", "Gathering"]).fetch(tmp_path)
    assert [clip.id for clip in clips] == sample.sample_clips(["Scattering", "Gathering"])
    assert {clip.size for clip in clips} == {5}


def test_an_unknown_class_of_the_sample_shows_what_there_is():
    with pytest.raises(SourceError, match="Bouncing, FanClosing"):
        opened("sample", classes=["Surfing"]).listing()


def test_snapshot_starts_without_what_is_heavy():
    heavy = {"numpy", "cv2", "pyarrow", "requests", "tqdm", "tensorflow"}
    program = f"import pipeline.stages.snapshot, sys; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
