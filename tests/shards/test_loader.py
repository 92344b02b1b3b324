import numpy as np
import pytest

from pipeline.errors import ShardError
from pipeline.shards.parquet import read_parquet
from pipeline.video.flow import decode_field, decode_jpeg

tf = pytest.importorskip("tensorflow")

from pipeline.shards import loader  # noqa: E402
from pipeline.shards.augment import Augmentation  # noqa: E402
from pipeline.shards.loader import evaluation_windows, training_windows  # noqa: E402
from pipeline.shards.windows import WindowSpec  # noqa: E402


def spec_of(*, stream="rgb", frames=6, stride_steps=1, crop=24):
    return WindowSpec(frames, stride_steps / 8, 8.0, crop, stream)


IN_MEMORY, FROM_DISK = 1 << 30, 0


@pytest.fixture(scope="module")
def files(shards):
    placed = shards / "placed" / "tfrecord"
    return {stream: sorted(placed.glob(f"*.{stream}.tfrecord")) for stream in ("rgb", "flow")}


@pytest.fixture(scope="module")
def labels(clips):
    return {clip.clip: int(clip.class_name[-1]) for clip in clips}


@pytest.fixture(scope="module")
def records(shards):
    found = (shards / "placed" / "parquet").iterdir()
    return {record.clip: record for file in found for record in read_parquet(file)}


def rgb(jpeg):
    return decode_jpeg(jpeg)[..., ::-1]


def taken(given):
    """The spec that some of the arguments make, and the others."""
    names = {"stream", "frames", "stride_steps", "crop"}
    spec = spec_of(**{name: given[name] for name in names & given.keys()})
    return spec, {name: given[name] for name in given.keys() - names}


def train(files, labels, **given):
    spec, given = taken(given)
    settings = {"batch_size": 4, "seed": 7, "memory": IN_MEMORY} | given
    windows = training_windows(files[spec.stream], labels, spec, **settings)
    return list(windows.as_numpy_iterator())


def evaluate(files, labels, **given):
    spec, given = taken(given)
    settings = {"batch_size": 5, "windows": 3} | given
    windows = evaluation_windows(files[spec.stream], labels, spec, **settings)
    return list(windows.as_numpy_iterator())


def same(first, second):
    return all(
        np.array_equal(a, b)
        for one, two in zip(first, second, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize(("stream", "channels"), [("rgb", 3), ("flow", 2)])
@pytest.mark.parametrize("memory", [IN_MEMORY, FROM_DISK])
def test_batches_are_full_and_typed(files, labels, stream, channels, memory):
    batches = train(files, labels, stream=stream, memory=memory)
    assert len(batches) == 2
    for x, y in batches:
        assert (x.shape, x.dtype) == ((4, 6, 24, 24, channels), np.float32)
        assert (y.shape, y.dtype) == ((4,), np.int32)


def test_the_static_shape_is_known(files, labels):
    x, y = training_windows(files["rgb"], labels, spec_of(), batch_size=4, seed=0).element_spec
    assert x.shape == (4, 6, 24, 24, 3)
    assert y.shape == (4,)


def test_a_batch_larger_than_the_data_set_is_cut_to_it(files, labels):
    assert [len(y) for _, y in train(files, labels, batch_size=100)] == [len(labels)]


@pytest.mark.parametrize("stream", ["rgb", "flow"])
@pytest.mark.parametrize("memory", [IN_MEMORY, FROM_DISK])
def test_an_epoch_hangs_on_seed_and_number_alone(files, labels, stream, memory):
    given = {"stream": stream, "memory": memory}
    three = train(files, labels, epoch=4, epochs=3, **given)
    assert len(three) == 6
    assert same(three[2:4], train(files, labels, epoch=5, **given))
    assert not same(three[2:4], three[4:6])
    assert not same(three[2:4], train(files, labels, epoch=5, seed=8, **given))


@pytest.mark.parametrize("elsewhere", [0, 5])
def test_the_global_seed_changes_nothing(files, labels, elsewhere):
    before = train(files, labels)
    tf.random.set_seed(elsewhere)
    assert same(before, train(files, labels))


@pytest.mark.parametrize("memory", [IN_MEMORY, FROM_DISK])
def test_an_epoch_takes_each_clip_once(files, labels, memory):
    numbered = {clip: number for number, clip in enumerate(sorted(labels))}
    batches = train(files, numbered, batch_size=9, epochs=3, memory=memory)
    orders = [y.tolist() for _, y in batches]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_only_labelled_clips_are_loaded(files, labels):
    some = dict(list(labels.items())[:3])
    assert {clip.decode() for _, _, ids in evaluate(files, some) for clip in ids} == set(some)


def test_clips_that_extraction_left_out_shorten_no_epoch(files, labels):
    missing = labels | {f"gone/{number}": 0 for number in range(3)}
    assert len(train(files, missing)) == 3
    assert sum(len(y) for _, y, _ in evaluate(files, missing)) == 3 * len(labels)


def test_shards_without_the_clips_are_an_error(files):
    with pytest.raises(ShardError, match="run the stage extract"):
        evaluate(files, {"gone/0": 0})


def test_no_clips_at_all_are_an_error(files):
    for load in (train, evaluate):
        with pytest.raises(ShardError, match="no clips to load"):
            load(files, {})


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_what_is_kept_in_memory_changes_no_window(files, labels, stream):
    kept, read = (evaluate(files, labels, stream=stream, memory=m) for m in (IN_MEMORY, FROM_DISK))
    assert same(kept, read)


def test_evaluation_windows_reach_from_start_to_end(files, labels, records):
    for x, y, ids in evaluate(files, labels, batch_size=3):
        assert len(set(ids)) == 1
        clip = ids[0].decode()
        assert set(y) == {labels[clip]}
        frames = [rgb(jpeg)[:, 4:28] for jpeg in records[clip].frames]
        if len(frames) >= 6:
            assert np.allclose(x[0], frames[:6], atol=0.1)
            assert np.allclose(x[-1], frames[-6:], atol=0.1)


def test_a_short_clip_starts_over(files, labels, records):
    short = {"class1/clip4": 0}
    (x, _, _), *_ = evaluate(files, short, windows=1)
    count = len(records["class1/clip4"].frames)
    assert count < 6
    assert np.array_equal(x[0, count:], x[0, : 6 - count])


def test_a_stride_takes_every_second_frame(files, labels, records):
    clip = "class0/clip0"
    (x, _, _), *_ = evaluate(files, {clip: 0}, frames=3, stride_steps=2, windows=2)
    frames = [rgb(jpeg)[:, 4:28] for jpeg in records[clip].frames]
    assert np.allclose(x[0], frames[:5:2], atol=0.1)
    assert np.allclose(x[1, :, :, ::-1], frames[-5::2], atol=0.1)


@pytest.mark.parametrize(("stream", "sign"), [("rgb", 1), ("flow", [-1, 1])])
def test_every_second_window_of_an_evaluation_is_mirrored(files, labels, stream, sign):
    clip = {"class0/clip0": 0}
    long = {"stream": stream, "frames": 40}  # longer than the clip: all windows start with it
    (plain, _, _), *_ = evaluate(files, clip, windows=1, **long)
    (x, _, _), *_ = evaluate(files, clip, windows=4, batch_size=4, **long)
    mirror_image = plain[0, :, :, ::-1] * np.asarray(sign, "f")
    for window, expected in zip(x, [plain[0], mirror_image] * 2, strict=True):
        assert np.array_equal(window, expected)


def test_flow_is_what_the_record_holds_without_its_mean(files, labels, records):
    clip = "class0/clip0"
    (x, _, _), *_ = evaluate(files, {clip: 0}, stream="flow", windows=1, frames=10)
    coded = zip(records[clip].flow, records[clip].flow_scale, strict=True)
    fields = np.stack([decode_field(jpeg, scale) for jpeg, scale in coded])[:, :, 4:28]
    expected = fields - fields.mean(axis=(1, 2), keepdims=True)
    assert np.allclose(x[0], expected[: len(x[0])], atol=0.05)


def test_training_without_augmentation_shows_the_clip_s_own_frames(files, records):
    clip = "class0/clip0"
    plain = Augmentation(area=1.0, aspect=1.0, flip=False, jitter=0.0)
    frames = np.stack([rgb(jpeg) for jpeg in records[clip].frames]).astype(int)
    starts = set()
    for x, _ in train(files, {clip: 0}, epochs=12, augmentation=plain):
        scores = {
            (start, left): np.abs(x[0] - frames[start : start + 6, :, left : left + 24]).mean()
            for start in range(len(frames) - 5)
            for left in range(9)
        }
        best = min(scores, key=scores.get)
        assert scores[best] < 12
        starts.add(best[0])
    assert len(starts) > 1


@pytest.mark.parametrize(("free", "kept"), [(0, False), (1 << 30, True)])
def test_pictures_are_kept_if_a_share_of_the_free_memory_holds_them(
    files, labels, monkeypatch, free, kept
):
    monkeypatch.setattr(loader, "free_memory", lambda: free)
    shards = loader._Shards(files["rgb"], labels, "rgb")
    assert (shards.kept(None) is not None) == kept
