from types import SimpleNamespace

import pytest

from pipeline.training.schedule import DECAY, Schedule, best_epoch, early_decay

PEAK = 0.5


def settings(**changes):
    limits = {"max_steps": 1000, "max_minutes": 100.0, "patience": 10_000, "target_accuracy": 2.0}
    return SimpleNamespace(**{**limits, "learning_rate": PEAK, **changes})


def run(schedule, *, seconds=0.01, history=None, slower=None, losses=None):
    """Rates of all steps, and the history; an epoch takes `seconds` a step, later `slower`."""
    rates, history = [], history if history is not None else []
    while steps := schedule.next_epoch(history):
        rates += [schedule.advance() for _ in range(steps)]
        pace = slower if slower and schedule.progress.decay_cause else seconds
        before = history[-1]["seconds"] if history else 0.0
        row = {"seconds": before + pace * steps, "val_loss": 1 / len(rates), "val_accuracy": 0.0}
        history.append(row | (next(losses) if losses else {}))
    return rates, history


def test_warms_up_stays_and_falls_to_zero_within_the_steps():
    rates, _ = run(Schedule(settings(), 10))
    assert len(rates) == 1000
    assert rates[0] == pytest.approx(PEAK / 50)
    assert rates[:50] == sorted(rates[:50])
    assert set(rates[50:700]) == {PEAK}
    assert rates[700:] == sorted(rates[700:], reverse=True)
    assert 0 < rates[-1] < PEAK / 500


@pytest.mark.parametrize("steps_per_epoch", [1, 7, 300, 5000])
def test_ends_at_the_last_step_whatever_an_epoch_s_length(steps_per_epoch):
    rates, _ = run(Schedule(settings(max_steps=100), steps_per_epoch))
    assert len(rates) == 100
    assert rates[-1] < PEAK / 50


@pytest.mark.parametrize("minutes", [1.0, 5.0])
def test_falls_to_zero_as_the_minutes_end(minutes):
    schedule = Schedule(settings(max_steps=100_000, max_minutes=minutes), 10)
    rates, history = run(schedule, seconds=0.5)
    assert 0.9 * minutes <= history[-1]["seconds"] / 60 <= minutes
    assert rates.count(PEAK) == pytest.approx((1 - DECAY) * len(rates), abs=55)
    assert rates[-1] < PEAK / 30
    assert schedule.progress.decay_cause == "max_minutes"


def test_a_machine_that_slows_down_in_the_decay_still_ends_near_zero_and_in_time():
    schedule = Schedule(settings(max_steps=100_000, max_minutes=10.0), 10)
    rates, history = run(schedule, seconds=0.5, slower=1.5)
    assert history[-1]["seconds"] <= 10 * 60 + 15
    assert rates[-1] < PEAK / 10
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_minutes_that_one_epoch_exceeds_still_end_annealed():
    rates, history = run(Schedule(settings(max_minutes=0.01, max_steps=500), 10), seconds=1)
    assert len(history) == 2
    assert rates[-1] < PEAK / 10


@pytest.mark.parametrize("cause", ["target_accuracy", "patience"])
def test_validation_begins_the_decay(cause):
    given = {"target_accuracy": 0.9} if cause == "target_accuracy" else {"patience": 50}
    found = ({"val_accuracy": 0.95, "val_loss": 1.0 if n else 0.5} for n in range(100))
    schedule = Schedule(settings(**given), 10)
    rates, _ = run(schedule, losses=found)
    begun = 20 if cause == "target_accuracy" else 60
    assert schedule.progress.decay_cause == cause
    assert len(rates) == pytest.approx(begun / (1 - DECAY), abs=1)
    assert rates[-1] < rates[begun - 1] / 5


def test_resumes_from_its_state_as_if_it_had_never_stopped():
    unbroken, _ = run(Schedule(settings(max_steps=95), 10))
    for epochs in range(10):
        first = Schedule(settings(max_steps=95), 10)
        rates, history = [], []
        for _ in range(epochs):
            rates += [first.advance() for _ in range(first.next_epoch(history))]
            history.append({"seconds": 0.1 * len(rates)})
        second = Schedule(settings(max_steps=95), 10)
        second.restore(first.state())
        rest, _ = run(second, history=history)
        assert rates + rest == unbroken


@pytest.mark.parametrize(
    ("losses", "accuracies", "cause"),
    [
        ([], [], ""),
        ([3, 2, 1], [0, 0, 0], ""),
        ([1, 2, 3], [0, 0, 0], "patience"),
        ([1, 2], [0, 0], ""),
        ([3, 2, 1], [0.5, 0.94, 0.97], "target_accuracy"),
        ([3], [1], ""),
        ([3, 2, 1], [1, 0.85, 1], ""),
    ],
)
def test_the_decay_begins_early_for_the_right_reason(losses, accuracies, cause):
    history = [
        {"val_loss": loss, "val_accuracy": accuracy}
        for loss, accuracy in zip(losses, accuracies, strict=True)
    ]
    limits = settings(patience=10, target_accuracy=0.95)
    assert early_decay(history, limits, 5) == cause


def test_without_validation_only_the_limits_begin_the_decay():
    assert early_decay([{"loss": 1.0}] * 50, settings(patience=1), 5) == ""


def test_best_epoch_is_the_first_of_equals():
    assert best_epoch([{"val_loss": v} for v in (2.0, 1.0, 1.0)]) == 2
