"""Clips that arrive in a watched folder: once, when all are there."""

from pathlib import Path

from pipeline.orchestration.arrivals import arrived


def listing(*clips: str) -> dict[str, object]:
    return {"source": "clips", "clips": {clip: [1, 2] for clip in clips}}


def test_what_was_there_at_the_first_check_has_not_arrived(tmp_path: Path) -> None:
    history = tmp_path / "history.json"
    assert [arrived(listing("a"), history) for _ in range(3)] == [False, False, False]


def test_a_clip_arrives_once(tmp_path: Path) -> None:
    history = tmp_path / "history.json"
    arrived(listing("a"), history)
    assert [arrived(listing("a", "b"), history) for _ in range(4)] == [False, True, False, False]


def test_many_clips_that_land_one_after_another_are_one_arrival(tmp_path: Path) -> None:
    history = tmp_path / "history.json"
    landing = [listing(*"abcdefgh"[:count]) for count in (1, 3, 5, 8, 8, 8)]
    assert [arrived(each, history) for each in landing] == [False] * 4 + [True, False]
