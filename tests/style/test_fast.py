import numpy as np
import pytest

from pipeline.params import Fast
from pipeline.style.crops import Crops
from pipeline.style.fast import FastTrainer
from pipeline.style.features import load_features
from pipeline.style.networks import generator
from pipeline.style.perceptual import PerceptualLoss

SETTINGS = Fast(
    size=48,
    batch_size=2,
    steps=12,
    learning_rate=0.01,
    content=1.0,
    style=1.0,
    total_variation=1.0,
    stability=1.0,
)


@pytest.fixture(scope="module")
def trainer(own_weights, picture):
    pictures = [(255 * picture(seed, 60, 60)).astype(np.uint8) for seed in range(3)]
    return FastTrainer(
        generator(widths=(4, 8, 8), blocks=1),
        PerceptualLoss(load_features(own_weights), picture(9)),
        photos=Crops(pictures, 48, 2),
        held_out=Crops(pictures, 48, 2),
        settings=SETTINGS,
    )


def test_the_loss_is_the_weighted_sum_of_its_parts(trainer):
    seen = {name: float(value) for name, value in trainer.validate().items()}
    assert seen.pop("loss") == pytest.approx(sum(seen.values()), rel=1e-5)
    assert set(seen) == {"content", "style", "total_variation", "stability"}


def test_training_lowers_the_loss_on_held_out_pictures(trainer):
    before = float(trainer.validate()["loss"])
    for number in range(12):
        trainer.step(number)
    assert float(trainer.validate()["loss"]) < 0.8 * before


def test_a_step_depends_on_its_saved_state_alone(trainer):
    state = {name: [v.numpy() for v in group] for name, group in trainer.variables.items()}
    first = {name: float(value) for name, value in trainer.step(12).items()}
    trainer.step(13)
    for name, group in trainer.variables.items():
        for variable, value in zip(group, state[name], strict=True):
            variable.assign(value)
    again = {name: float(value) for name, value in trainer.step(12).items()}
    assert again == pytest.approx(first, rel=1e-5)


def test_a_network_that_shifts_with_the_camera_has_no_stability_loss_but_the_noise(
    trainer, picture
):
    photos = np.stack([picture(0, 64, 64)] * 2)
    trainer.network, network = lambda x, training: x, trainer.network
    stability = float(trainer._stability_loss(photos, photos, np.int32(3)))
    trainer.network = network
    assert stability == pytest.approx(0.03**2, rel=0.1)
