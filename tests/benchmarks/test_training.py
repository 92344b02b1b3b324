import numpy as np

from benchmarks.training import compared, exported, transposed, worth_a_turn
from pipeline.models import build


def test_ratio_is_ours_as_trained_over_the_best_of_pytorch():
    rates = {
        "ours, float32": [10.0, 20.0, 30.0],
        "ours, bfloat16": [99.0],
        "torch, float32": [10.0, 10.0, 10.0],
        "torch, bfloat16": [4.0],
    }
    found = compared(rates)
    assert found["best_of_torch"] == "torch, float32"
    assert found["ratio"] == 2.0
    assert found["least_and_greatest_ratio"] == [1.0, 3.0]


def test_each_gets_one_turn_and_only_those_near_the_best_get_more():
    assert worth_a_turn({"ours, a": [], "torch, a": []}) == ["ours, a", "torch, a"]
    first = {"torch, a": [10.0], "torch, b": [4.0], "torch, c": [6.0, 1.0]}
    assert worth_a_turn(first) == ["torch, a", "torch, c"]


def test_a_side_that_is_much_slower_still_has_its_turns():
    assert worth_a_turn({"ours, a": [80.0], "torch, a": [30.0]}) == ["ours, a", "torch, a"]


def test_kernels_are_mirrored_and_transposed():
    weight = np.arange(3 * 2 * 5).reshape(3, 1, 2, 5)
    there = transposed(weight)
    assert there.shape == (5, 2, 3, 1)
    np.testing.assert_array_equal(there[4, 1, :, 0], weight[::-1, 0, 1, 4])
    assert transposed(np.zeros((3, 3, 3, 1, 7))).shape == (7, 1, 3, 3, 3)


def test_weights_are_numbered_in_order_of_definition():
    network = build("csn", input_shape=(4, 32, 32, 3), classes=2)
    weights = exported(network)
    shapes = [weights[f"dense/{number}/0"].shape for number in range(4)]
    assert shapes == [(48, 24), (24, 24), (24, 24), (48, 24)]  # the first block's
    assert weights["depthwise/6/0"].shape == (128, 1, 3, 3, 3)
    assert weights["dense/22/0"].shape == (2, 256)
