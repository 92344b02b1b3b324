"""Verdicts follow the numbers, whatever they are."""

from dataclasses import replace
from itertools import combinations

import pytest

from pipeline.evaluation.candidates import Pair
from pipeline.report import tradeoffs
from pipeline.report.tradeoffs import claims
from tests.report.example import CSN

ACCURACY = {"vgg_lstm": 0.92, "resnet_lstm": 0.9, "r2plus1d": 0.9, "csn": 0.4}


def rows(accuracy=ACCURACY, **changes):
    """One row an architecture; `changes` are values by architecture."""
    return [
        replace(
            CSN,
            architecture=name,
            video_accuracy=share,
            frames=8,
            stride=0.25,
            **{field: values[name] for field, values in changes.items()},
        )
        for name, share in accuracy.items()
    ]


def pairs(accuracy=ACCURACY, p=0.01):
    return [
        Pair(f"{one} (rgb)", f"{other} (rgb)", accuracy[one] - accuracy[other], p)
        for one, other in combinations(reversed(accuracy), 2)
    ]


def found(text, rows, pairs):
    (claim,) = (each for each in claims(rows, pairs) if each.text.startswith(text))
    return claim


def test_the_most_accurate_is_told_from_the_next_by_the_paired_test():
    claim = found("VGG+LSTM is the most", rows(), pairs())
    assert (claim.verdict, claim.evidence) == (
        "borne out",
        "vgg_lstm 92.0% against 90.0% of resnet_lstm (p 0.010)",
    )
    assert found("VGG+LSTM is the most", rows(), pairs(p=0.3)).verdict == "undecided"
    worse = ACCURACY | {"vgg_lstm": 0.5}
    assert found("VGG+LSTM is the most", rows(worse), pairs(worse)).verdict == "not borne out"


def test_counts_need_no_test():
    counts = {"vgg_lstm": 3, "resnet_lstm": 2, "r2plus1d": 1, "csn": 2}
    assert found("(2+1)D needs fewest", rows(parameters=counts), pairs()).holds
    counts["csn"] = 0
    assert not found("(2+1)D needs fewest", rows(parameters=counts), pairs()).holds
    assert found("VGG+LSTM needs most", rows(parameters=counts), pairs()).holds


def test_csn_fails_only_where_it_is_right_half_as_often_as_the_best():
    assert found("CSN fails", rows(), pairs()).holds
    better = ACCURACY | {"csn": 0.8}
    assert not found("CSN fails", rows(better), pairs(better)).holds


@pytest.mark.parametrize(("joint", "holds"), [(10.0, True), (30.0, False)])
def test_joint_models_are_faster_if_their_mean_latency_is_lower(joint, holds):
    latency = {"vgg_lstm": 15.0, "resnet_lstm": 25.0, "r2plus1d": joint, "csn": joint}
    claim = found("Joint models answer sooner", rows(latency_ms=latency), pairs())
    assert claim.holds is holds
    assert claim.evidence == f"sequential 20 against {joint:.3g} ms a window (joint)"


@pytest.mark.parametrize(
    ("sequential", "joint", "holds"), [(0.5, 0.95, True), (0.95, 0.2, False), (0.9, 0.9, None)]
)
def test_who_forgets_is_who_gains_less_from_longer_windows(sequential, joint, holds):
    same = dict.fromkeys(ACCURACY, 0.9)
    kinds = {"sequential": sequential, "joint": joint}
    lengths = {
        name: {"32": {"video_accuracy": kinds[tradeoffs.KINDS[name]], "latency_ms": 1.0}}
        for name in same
    }
    claim = found("Sequential models forget", rows(same, lengths=lengths), pairs(same))
    assert claim.holds is holds
    assert "from 8 to 32 frames" in claim.evidence


def test_one_length_says_nothing_of_forgetting():
    claim = found("Sequential models forget", rows(), pairs())
    assert claim.verdict == "undecided"
    assert "evaluate.lengths" in claim.evidence


def test_seeds_count_by_their_mean():
    more = [*rows(), replace(rows()[0], seed=1, video_accuracy=0.82)]
    assert "vgg_lstm 87.0%" in found("VGG+LSTM is the most", more, pairs()).evidence


def test_the_table_has_a_column_a_length_and_a_row_a_network():
    lengths = {name: {"16": {"video_accuracy": 0.77, "latency_ms": 1.0}} for name in ACCURACY}
    (section,) = tradeoffs.sections(rows(lengths=lengths), pairs())
    numbers = section.blocks[1]
    assert "<th>8 frames</th><th>16 frames</th>" in numbers
    assert "<td>vgg_lstm</td><td>sequential</td><td>2 s</td><td>92.0%</td><td>77.0%</td>" in numbers


def test_without_all_four_networks_on_rgb_there_is_nothing_to_say():
    assert tradeoffs.sections(rows()[:3], pairs()) == []
    flow = [replace(row, stream="flow") for row in rows()]
    assert tradeoffs.sections(flow, pairs()) == []
