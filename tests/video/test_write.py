from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline.errors import ClipError
from pipeline.video.write import annotate, read_comment, rewrite


@pytest.fixture
def film(tmp_path):
    """Writes a film with PyAV: a grey that brightens; `sound` is a codec, `times` in 1/1000 s.

    The sound begins `late` seconds after the pictures.
    """

    def write(name="film.mkv", *, codec="libx264", size=(48, 32), sound=None, times=None, late=0):
        times = times or range(0, 800, 40)
        path = tmp_path / name
        with av.open(path, "w") as output:
            video = output.add_stream(codec, 25)
            video.width, video.height = size
            video.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
            video.codec_context.time_base = Fraction(1, 1000)
            audio = output.add_stream(sound, 16000, layout="mono") if sound else None
            for number, time in enumerate(times):
                picture = np.full((size[1], size[0], 3), (40 + 8 * number) % 256, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                output.mux(video.encode(frame))
            output.mux(video.encode())
            if audio:
                output.mux(list(_tone(audio, seconds=times[-1] / 1000, late=late)))
                output.mux(audio.encode())
        return path

    return write


def _tone(stream, seconds, late=0):
    wave = (8000 * np.sin(np.arange(int(seconds * 16000)) / 8)).astype(np.int16)
    for start in range(0, len(wave), 1024):
        part = wave[None, start : start + 1024]
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, start + round(late * 16000)
        yield from stream.encode(frame)


def unchanged(pictures):
    return pictures


def inverted(pictures):
    return (255 - picture for picture in pictures)


def times(path):
    with av.open(path) as film:
        return [frame.time for frame in film.decode(video=0)]


def sound_of(path):
    with av.open(path) as film:
        if not film.streams.audio:
            return None
        name = film.streams.audio[0].codec_context.name
        samples = sum(frame.samples for frame in film.decode(audio=0))
        return name, samples / film.streams.audio[0].rate


def test_it_is_h264_of_the_same_size_rate_and_length(film, tmp_path):
    source, target = film(), tmp_path / "out.part"
    rewrite(source, target, inverted)
    with av.open(target) as output:
        video = output.streams.video[0]
        assert output.format.name.startswith("mov,mp4")
        assert (video.codec_context.name, video.width, video.height) == ("h264", 48, 32)
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.frames, video.average_rate) == (20, 25)
        assert output.duration / av.time_base == pytest.approx(0.8, abs=0.005)
        brightness = [frame.to_ndarray(format="bgr24").mean() for frame in output.decode(video)]
    np.testing.assert_allclose(brightness, [215 - 8 * n for n in range(20)], atol=5)


def test_frames_keep_uneven_times(film, tmp_path):
    uneven = [0, 40, 80, 200, 210, 400]
    rewrite(film(times=uneven), tmp_path / "out.mp4", unchanged)
    np.testing.assert_allclose(times(tmp_path / "out.mp4"), np.divide(uneven, 1000), atol=1e-3)


def test_a_film_that_starts_late_starts_at_0(film, tmp_path):
    source = film("film.ts", times=range(2000, 2800, 40))
    rewrite(source, tmp_path / "out.mp4", unchanged)
    assert min(times(tmp_path / "out.mp4")) < 0.1


@pytest.mark.parametrize(("sound", "kept"), [("aac", "aac"), ("pcm_s16le", "aac"), ("mp2", "aac")])
def test_sound_is_kept(film, tmp_path, sound, kept):
    source = film(sound=sound)
    rewrite(source, tmp_path / "out.mp4", unchanged)
    name, seconds = sound_of(tmp_path / "out.mp4")
    assert name == kept
    assert seconds == pytest.approx(sound_of(source)[1], abs=0.15)


@pytest.mark.parametrize(("sound", "kept"), [("libmp3lame", "mp3float"), ("mp2", "aac")])
def test_sound_of_an_avi_is_kept_whose_times_are_coarse(film, tmp_path, sound, kept):
    source = film("film.avi", codec="mpeg4", sound=sound)
    rewrite(source, tmp_path / "out.mp4", unchanged)
    name, seconds = sound_of(tmp_path / "out.mp4")
    assert name == kept
    assert seconds == pytest.approx(sound_of(source)[1], abs=0.15)


def test_sound_that_begins_late_still_does(film, tmp_path):
    rewrite(film(sound="pcm_s16le", late=0.4), tmp_path / "out.mp4", unchanged)
    with av.open(tmp_path / "out.mp4") as output:
        assert next(output.decode(audio=0)).time == pytest.approx(0.4, abs=0.1)


def test_sound_that_mp4_takes_is_copied_untouched(film, tmp_path):
    source = film(sound="aac")
    rewrite(source, tmp_path / "out.mp4", unchanged)

    def packets(path):
        with av.open(path) as opened:
            return [bytes(packet) for packet in opened.demux(audio=0) if packet.dts is not None]

    assert packets(tmp_path / "out.mp4") == packets(source)


def test_no_sound_stays_no_sound(film, tmp_path):
    rewrite(film(), tmp_path / "out.mp4", unchanged)
    assert sound_of(tmp_path / "out.mp4") is None


def test_odd_sizes_stay_as_they_are(film, tmp_path):
    rewrite(film(size=(47, 33)), tmp_path / "out.mp4", unchanged)
    with av.open(tmp_path / "out.mp4") as output:
        assert (output.streams.video[0].width, output.streams.video[0].height) == (47, 33)


def test_a_film_of_one_frame(film, tmp_path):
    rewrite(film(times=[0]), tmp_path / "out.mp4", unchanged)
    assert len(times(tmp_path / "out.mp4")) == 1


def test_a_preview_ends_pictures_and_sound(film, tmp_path):
    rewrite(film(sound="pcm_s16le"), tmp_path / "out.mp4", unchanged, seconds=0.4)
    assert len(times(tmp_path / "out.mp4")) == 10
    assert sound_of(tmp_path / "out.mp4")[1] < 0.7


def test_frames_are_read_as_they_are_needed(film, tmp_path):
    waiting, most = [], []

    def change(pictures):
        for number, picture in enumerate(pictures):
            waiting.append(number)
            most.append(len(waiting))
            yield picture
            waiting.remove(number)

    rewrite(film(times=range(0, 4000, 40)), tmp_path / "out.mp4", change)
    assert set(most) == {1}


def test_a_comment_is_found_again(film, tmp_path):
    rewrite(film(), tmp_path / "out.mp4", unchanged, comment="by hand")
    assert read_comment(tmp_path / "out.mp4") == "by hand"
    assert read_comment(tmp_path / "none.mp4") == ""
    (tmp_path / "text.mp4").write_text("no film")
    assert read_comment(tmp_path / "text.mp4") == ""


def test_a_file_that_is_no_video_is_an_error(tmp_path):
    (tmp_path / "film.mp4").write_text("no film at all")
    with pytest.raises(ClipError, match="begins like no video"):
        rewrite(tmp_path / "film.mp4", tmp_path / "out.mp4", unchanged)


def test_sound_alone_is_an_error(tmp_path):
    with av.open(tmp_path / "song.mkv", "w") as output:
        stream = output.add_stream("aac", 16000, layout="mono")
        output.mux(list(_tone(stream, 1.0)))
        output.mux(stream.encode())
    with pytest.raises(ClipError, match="holds no video"):
        rewrite(tmp_path / "song.mkv", tmp_path / "out.mp4", unchanged)


def test_what_is_drawn_depends_on_when_a_picture_is_shown(film, tmp_path):
    seen = []

    def draw(picture, time):
        seen.append(time)
        return picture

    source = film(times=[0, 40, 200, 210], sound="aac")
    annotate(source, tmp_path / "out.mp4", draw)
    assert seen == [0, 0.04, 0.2, 0.21]
    assert times(tmp_path / "out.mp4") == times(source)
    assert sound_of(tmp_path / "out.mp4")[0] == "aac"
