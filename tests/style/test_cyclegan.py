"""The losses against values worked by hand, the pool, the schedule, and one small training."""

import numpy as np
import pytest
from keras import ops

from pipeline.params import CycleGan
from pipeline.style.crops import Crops
from pipeline.style.cyclegan import (
    CycleGanTrainer,
    ImagePool,
    LinearDecay,
    absolute_error,
    adversarial_loss,
    discriminator_loss,
)
from pipeline.style.networks import discriminator, generator

SETTINGS = CycleGan(
    size=32, batch_size=1, steps=8, learning_rate=0.002, cycle=20.0, identity=10.0, pool=3
)


def tensor(*values):
    return ops.convert_to_tensor(np.asarray(values, np.float32))


def test_the_adversarial_loss_is_the_squared_distance_from_the_score_of_real_pictures():
    assert float(adversarial_loss(tensor(1.0, 0.0, -1.0))) == pytest.approx((0 + 1 + 4) / 3)


def test_the_discriminator_loss_halves_the_errors_on_real_and_generated_pictures():
    loss = discriminator_loss(tensor(1.0, 0.5), tensor(0.0, 2.0))
    assert float(loss) == pytest.approx(((0 + 0.25) / 2 + (0 + 4) / 2) / 2)


def test_the_absolute_error_is_a_mean_without_sign():
    assert float(absolute_error(tensor(0.0, 0.5), tensor(1.0, 0.25))) == pytest.approx(1.25 / 2)


def test_the_rate_is_constant_for_half_the_steps_then_falls_to_zero():
    rates = [float(LinearDecay(0.4, 8)(step)) for step in range(10)]
    np.testing.assert_allclose(rates, [0.4] * 5 + [0.3, 0.2, 0.1, 0.0, 0.0], atol=1e-7)


def test_a_pool_that_is_not_full_keeps_and_returns_its_input():
    pool, pictures = ImagePool(4, side=2), np.random.default_rng(0).random((4, 2, 2, 3), np.float32)
    for number, picture in enumerate(pictures):
        np.testing.assert_array_equal(pool.exchange(picture[None], number)[0], picture)
    np.testing.assert_array_equal(pool.pictures.numpy(), pictures)


def test_a_full_pool_exchanges_every_other_picture_for_an_earlier_one():
    pool, exchanged = ImagePool(5, side=1), 0
    for number in range(105):
        picture = np.full((1, 1, 1, 3), number, np.float32)
        shown = pool.exchange(picture, number)
        if not np.array_equal(shown, picture):
            exchanged += 1
            assert shown.max() < number
            assert number in pool.pictures.numpy()
    assert 30 < exchanged < 70


@pytest.fixture(scope="module")
def trainer(picture):
    photos = [(255 * picture(seed)).astype(np.uint8) for seed in range(3)]
    styles = [255 - photo // 2 for photo in photos]
    return CycleGanTrainer(
        [generator(widths=(4, 4, 8), blocks=1, seed=seed) for seed in (0, 1)],
        [discriminator(width=4, seed=seed) for seed in (2, 3)],
        training=[Crops(photos, 32, 1), Crops(styles, 32, 1)],
        held_out=[Crops(photos, 32, 2), Crops(styles, 32, 2)],
        settings=SETTINGS,
    )


def test_the_generators_loss_weighs_its_parts(trainer):
    seen = {name: float(value) for name, value in trainer.validate().items()}
    wanted = seen["adversarial"] + 20 * seen["cycle"] + 10 * seen["identity"]
    assert seen["loss"] == pytest.approx(wanted, rel=1e-5)


def test_the_parts_are_those_of_the_paper(trainer):
    photo, style = (pair.numpy() for pair in trainer._held_out)
    there, back = trainer.network, trainer._back
    of_photos, of_styles = trainer._discriminators

    def error(a, b):
        return np.abs(a - b).mean()

    seen = {name: float(value) for name, value in trainer.validate().items()}
    adversarial = [of_styles(there(photo)), of_photos(back(style))]
    wanted = {
        "adversarial": sum(np.square(each.numpy() - 1).mean() for each in adversarial),
        "cycle": error(back(there(photo)), photo) + error(there(back(style)), style),
        "identity": error(there(style), style) + error(back(photo), photo),
    }
    assert {name: seen[name] for name in wanted} == pytest.approx(wanted, rel=1e-4)


def test_a_step_trains_all_four_networks_and_repeats_from_a_restored_state(trainer):
    start = {name: [v.numpy() for v in group] for name, group in trainer.variables.items()}
    first = [{k: float(v) for k, v in trainer.step(number).items()} for number in range(5)]
    kernels = [
        (a, b) for a, b in zip(start["networks"], trainer.variables["networks"], strict=True)
    ]
    assert all(np.abs(before - after.numpy()).max() > 0 for before, after in kernels)
    for name, group in trainer.variables.items():
        for variable, value in zip(group, start[name], strict=True):
            variable.assign(value)
    again = [{k: float(v) for k, v in trainer.step(number).items()} for number in range(5)]
    for one, other in zip(first, again, strict=True):
        assert one == pytest.approx(other, rel=1e-3)
    assert first[-1]["cycle"] < first[0]["cycle"]
