"""The command as people call it: files, folders, pictures, and what goes wrong."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.commands import stylize
from pipeline.errors import StyleError
from pipeline.models import build
from pipeline.params import load_params
from pipeline.video.probe import probe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "model.keras"
    build("vgg_lstm", input_shape=(2, 32, 32, 3), classes=2).save(path)
    return path


@pytest.fixture
def settings(features):
    params = load_params(ROOT / "params.yaml")
    quick = {"features": str(features), "size": 32, "steps": 2, "steps_per_frame": 1}
    return params.model_copy(update={"stylize": params.stylize.model_copy(update=quick)})


@pytest.fixture
def style(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "style.png"), cv2.resize(noise, (40, 30)))
    return tmp_path / "style.png"


class Negative:
    """Stands for neural style transfer, in no time."""

    def __init__(self, *_):
        pass

    def video(self, frames):
        return (255 - frame for frame in frames)

    def picture(self, picture):
        return 255 - picture


@pytest.fixture
def stylized(settings, style, monkeypatch):
    """Runs the command with a quick stand-in for the method."""
    monkeypatch.setattr(stylize, "NeuralStyle", Negative)

    def run(source, target, **given):
        stylize.run(settings, source, target, **{"method": "nst", "style": style, **given})

    return run


def test_a_video_keeps_its_size_rate_and_length(film, tmp_path, settings, style):
    source = film(tmp_path / "clip.avi", frames=4)
    stylize.run(settings, source, tmp_path / "out.mp4", "nst", style)
    assert probe(tmp_path / "out.mp4") == probe(source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "out.mp4", "style.png"]


def test_a_folder_is_done_but_for_its_broken_videos(film, tmp_path, stylized, caplog):
    film(tmp_path / "in" / "deep" / "good.avi", frames=3)
    whole = film(tmp_path / "in" / "cut.avi", frames=9).read_bytes()
    (tmp_path / "in" / "cut.avi").write_bytes(whole[:-3000])
    (tmp_path / "in" / "notes.txt").write_text("neither video nor picture")
    with pytest.raises(StyleError, match=r"1 of 2 were not stylized: cut\.avi"):
        stylized(tmp_path / "in", tmp_path / "out")
    assert "cut.avi: it is cut off" in caplog.text
    made = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert made == [tmp_path / "out" / "deep" / "good.mp4"]


@pytest.fixture
def folder(film, tmp_path):
    """Three videos and a picture; `b.avi` is to fail."""
    for name in ("a.avi", "b.avi", "c.avi"):
        film(tmp_path / "in" / name, frames=2)
    cv2.imwrite(str(tmp_path / "in" / "d.png"), np.full((20, 30, 3), 90, np.uint8))
    return tmp_path / "in"


def fail_at_b(monkeypatch, error):
    original = stylize._video

    def video(source, *rest):
        if source.name == "b.avi":
            raise error
        original(source, *rest)

    monkeypatch.setattr(stylize, "_video", video)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("frames differ in size"),
        PermissionError(errno.EACCES, "Permission denied"),
        MemoryError(),
        KeyError("key"),
    ],
)
def test_whatever_exception_one_file_causes_the_rest_is_done(
    folder, tmp_path, stylized, monkeypatch, caplog, error
):
    fail_at_b(monkeypatch, error)
    with pytest.raises(StyleError, match=r"1 of 4 were not stylized: b\.avi"):
        stylized(folder, tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["a.mp4", "c.mp4", "d.png"]
    assert str(error) in caplog.text


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_stops_the_folder(
    folder, tmp_path, stylized, monkeypatch, error
):
    fail_at_b(monkeypatch, error)
    with pytest.raises(type(error)):
        stylized(folder, tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.mp4"]


def test_hidden_files_of_a_folder_are_ignored(folder, tmp_path, stylized):
    for name in ("._a.avi", "__MACOSX/d.png", ".trash/b.avi"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"noise")
    stylized(folder, tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*"))) == 4


@pytest.mark.parametrize("name", [b"caf\xe9", b"cafe\xcc\x81", b"two\nlines", "映画".encode()])
def test_names_of_a_folder_are_kept_byte_by_byte(film, tmp_path, stylized, name):
    path = film(tmp_path / "in" / "a.avi", frames=2)
    path.rename(path.with_name(os.fsdecode(name) + ".avi"))
    stylized(tmp_path / "in", tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [name + b".mp4"]  # noqa: PTH208


def test_a_folder_with_a_file_that_failed_ends_with_status_1(
    folder, tmp_path, style, monkeypatch, caplog
):
    monkeypatch.setattr(stylize, "_stylizer", lambda *_: (Negative(), []))
    monkeypatch.chdir(ROOT)
    fail_at_b(monkeypatch, ValueError("frames differ in size"))
    source, target = str(folder), str(tmp_path / "out")
    assert main(["stylize", source, target, "--style", str(style)]) == 1
    assert caplog.messages[-1] == "1 of 4 were not stylized: b.avi"


def test_a_video_that_is_done_is_left_alone_until_a_setting_changes(film, tmp_path, stylized):
    source, target = film(tmp_path / "clip.avi", frames=2), tmp_path / "out.mp4"
    stylized(source, target)
    made = target.stat().st_mtime_ns
    stylized(source, target)
    assert target.stat().st_mtime_ns == made
    stylized(source, target, preview=True)
    assert target.stat().st_mtime_ns > made


def test_a_preview_shows_the_first_seconds(film, tmp_path, stylized, monkeypatch):
    monkeypatch.setattr(stylize, "PREVIEW", 0.12)
    stylized(film(tmp_path / "clip.avi", frames=9), tmp_path / "out.mp4", preview=True)
    assert probe(tmp_path / "out.mp4").frames == 3


def test_a_picture_with_an_alpha_channel(tmp_path, stylized):
    cv2.imwrite(str(tmp_path / "content.png"), np.full((33, 47, 4), 90, np.uint8))
    stylized(tmp_path / "content.png", tmp_path / "out.png")
    assert cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED).shape == (33, 47, 3)


def test_kept_colours_leave_a_grey_picture_grey(tmp_path, stylized, settings, style):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((32, 48), 90, np.uint8))
    kept = settings.stylize.model_copy(update={"keep_colours": True})
    params = settings.model_copy(update={"stylize": kept})
    stylize.run(params, tmp_path / "grey.png", tmp_path / "out.png", "nst", style)
    result = cv2.imread(str(tmp_path / "out.png")).astype(int)
    assert np.ptp(result, axis=-1).max() <= 3


def test_an_interrupted_video_leaves_nothing(film, tmp_path, stylized, monkeypatch):
    def interrupted(stylizer, frames):
        yield next(frames)
        raise KeyboardInterrupt

    monkeypatch.setattr(Negative, "video", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stylized(film(tmp_path / "clip.avi"), tmp_path / "out" / "clip.mp4")
    assert not list((tmp_path / "out").iterdir())


def test_into_a_folder_that_exists(film, tmp_path, stylized):
    (tmp_path / "out").mkdir()
    stylized(film(tmp_path / "clip.avi", frames=2), tmp_path / "out")
    assert (tmp_path / "out" / "clip.mp4").is_file()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("none.avi", "out.mp4", "does not exist"),
        ("clip.avi", "out.avi", r"must end in \.mp4"),
        ("style.png", "out.mp4", r"must end in \.bmp or"),
        ("style.png", "style.png", "would replace its original"),
        ("empty", "out", "holds no videos and no pictures"),
        ("twins", "out", "would both become"),
    ],
)
def test_what_cannot_be_asked_for(film, tmp_path, stylized, source, target, message):
    for name in ("clip.avi", "twins/a.avi", "twins/a.mkv"):
        film(tmp_path / name.replace(".mkv", ".avi"), frames=2)
    (tmp_path / "twins" / "a.mkv").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StyleError, match=message):
        stylized(tmp_path / source, tmp_path / target)


def test_a_missing_style_is_one_message_and_status_1(film, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(ROOT)
    source = str(film(tmp_path / "clip.avi", frames=2))
    assert main(["stylize", source, str(tmp_path / "out.mp4"), "--style", "none.jpg"]) == 1
    assert caplog.messages == ["the picture none.jpg does not exist"]
    assert not (tmp_path / "out.mp4").exists()
