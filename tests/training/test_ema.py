import keras
import numpy as np

from pipeline.training.ema import MovingAverage


def test_follows_the_weights_and_gives_them_back():
    weight = keras.Variable(np.zeros(2, np.float32))
    average = MovingAverage([weight], momentum=0.5)
    weight.assign(np.ones(2, np.float32))
    average.update()
    with average.applied():
        np.testing.assert_allclose(weight.numpy(), 1 - 2 / 11)
    np.testing.assert_allclose(weight.numpy(), 1)


def test_momentum_is_the_upper_limit():
    weight = keras.Variable(np.zeros(1, np.float32))
    average = MovingAverage([weight], momentum=0.0)
    weight.assign(np.ones(1, np.float32))
    average.update()
    with average.applied():
        assert float(weight[0]) == 1.0
