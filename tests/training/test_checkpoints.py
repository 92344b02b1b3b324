import numpy as np

from pipeline.training.checkpoints import load_checkpoint, save_checkpoint


def test_gives_back_what_was_saved_in_order(tmp_path):
    average = [np.zeros((2, 3), np.float32)]
    groups = {"model": [np.full(2, i) for i in range(12)], "average": average}
    progress = {"history": [{"loss": 0.1}], "seconds": 1.5}
    path = tmp_path / "state" / "checkpoint.npz"
    save_checkpoint(path, groups, progress)
    loaded, again = load_checkpoint(path)
    assert again == progress
    assert [a.tolist() for a in loaded["model"]] == [a.tolist() for a in groups["model"]]
    assert loaded["average"][0].dtype == np.float32
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.npz"]


def test_nothing_saved_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "checkpoint.npz") is None


def test_damaged_is_none_with_a_warning(tmp_path, caplog):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, {"model": [np.zeros(1000)]}, {})
    path.write_bytes(path.read_bytes()[:500])
    assert load_checkpoint(path) is None
    assert "damaged" in caplog.text
