import numpy as np
import pytest
import tensorflow as tf

from pipeline.errors import TrainingError
from pipeline.style.train_loop import ROWS, train_in_steps


class Counter:
    """A trainer whose state is the sum of the numbers of its steps."""

    network = None

    def __init__(self, breaks_at=None):
        self.sum = tf.Variable(0.0)
        self.breaks_at = breaks_at

    @property
    def variables(self):
        return {"sum": [self.sum]}

    def step(self, number):
        if number == self.breaks_at:
            raise KeyboardInterrupt
        self.sum.assign_add(float(number))
        return {"loss": self.sum}

    def validate(self):
        return {"loss": -self.sum}


@pytest.mark.parametrize(("steps", "rows"), [(100, ROWS), (7, 7), (31, 16)])
def test_all_steps_are_made_in_at_most_so_many_rows(tmp_path, steps, rows):
    trainer = Counter()
    history = train_in_steps(trainer, steps=steps, state=tmp_path).history
    assert len(history) == rows <= ROWS
    assert float(trainer.sum) == sum(range(steps))
    assert history[-1]["val_loss"] == -sum(range(steps))


def test_a_row_is_the_mean_of_its_steps(tmp_path):
    history = train_in_steps(Counter(), steps=2 * ROWS, state=tmp_path).history
    assert [row["loss"] for row in history[:2]] == [(0 + 1) / 2, (3 + 6) / 2]


def test_after_a_kill_it_resumes_from_the_checkpoint(tmp_path):
    unbroken = train_in_steps(Counter(), steps=60, state=tmp_path / "unbroken")
    for breaks_at in (10, 11, 50):
        with pytest.raises(KeyboardInterrupt):
            train_in_steps(Counter(breaks_at), steps=60, state=tmp_path / "broken")
    heard = []
    resumed = train_in_steps(
        Counter(), steps=60, state=tmp_path / "broken", on_row=lambda *row: heard.append(row[0])
    )
    assert resumed.history == unbroken.history
    assert heard == [17, 18, 19, 20]
    assert resumed.seconds > 0


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_step(tmp_path):
    trainer = Counter()
    trainer.sum.assign(np.nan)
    with pytest.raises(TrainingError, match="the loss loss is nan at step 0"):
        train_in_steps(trainer, steps=3, state=tmp_path)
