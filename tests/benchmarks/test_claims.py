"""Verdicts follow the numbers, whatever they are."""

import json
from dataclasses import asdict, replace
from itertools import combinations

import pytest

from benchmarks import claims
from pipeline.evaluation.candidates import Pair
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


LENGTHS = {name: {8: share, 16: share} for name, share in ACCURACY.items()}


def found(text, rows, pairs, lengths=LENGTHS):
    (claim,) = (each for each in claims.claims(rows, pairs, lengths) if each.text.startswith(text))
    return claim


def test_the_most_accurate_needs_a_significant_paired_test():
    claim = found("VGG+LSTM is the most", rows(), pairs())
    assert (claim.verdict, claim.evidence) == (
        "supported",
        "vgg_lstm 92.0% against 90.0% of resnet_lstm (p 0.010)",
    )
    assert found("VGG+LSTM is the most", rows(), pairs(p=0.3)).verdict == "undecided"
    worse = ACCURACY | {"vgg_lstm": 0.5}
    assert found("VGG+LSTM is the most", rows(worse), pairs(worse)).verdict == "not supported"


def test_counts_need_no_test():
    counts = {"vgg_lstm": 3, "resnet_lstm": 2, "r2plus1d": 1, "csn": 2}
    assert found("(2+1)D has the fewest", rows(parameters=counts), pairs()).holds
    counts["csn"] = 0
    assert not found("(2+1)D has the fewest", rows(parameters=counts), pairs()).holds
    assert found("VGG+LSTM has the most", rows(parameters=counts), pairs()).holds


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(900, "undecided"), (2000, "supported"), (500, "not supported")]
)
def test_trainings_that_the_same_minutes_end_have_no_longest(seconds, verdict):
    times = {"vgg_lstm": 895, "resnet_lstm": 770, "r2plus1d": 800, "csn": seconds}
    assert found("CSN takes longest", rows(train_seconds=times), pairs()).verdict == verdict


def test_csn_fails_only_below_half_of_the_best_accuracy():
    assert found("CSN fails", rows(), pairs()).holds
    better = ACCURACY | {"csn": 0.8}
    assert not found("CSN fails", rows(better), pairs(better)).holds


@pytest.mark.parametrize(("joint", "holds"), [(10.0, True), (30.0, False)])
def test_joint_models_are_faster_if_their_mean_latency_is_lower(joint, holds):
    latency = {"vgg_lstm": 15.0, "resnet_lstm": 25.0, "r2plus1d": joint, "csn": joint}
    claim = found("Joint models are faster", rows(latency_ms=latency), pairs())
    assert claim.holds is holds
    assert claim.evidence == f"sequential 20 against {joint:.3g} ms per window (joint)"


@pytest.mark.parametrize(
    ("sequential", "joint", "holds"), [(0.5, 0.95, True), (0.95, 0.2, False), (0.9, 0.9, None)]
)
def test_networks_forget_if_longer_windows_raise_their_accuracy_less(sequential, joint, holds):
    longest = {"sequential": sequential, "joint": joint}
    lengths = {name: {8: 0.9, 32: longest[claims.KINDS[name]]} for name in ACCURACY}
    claim = found("Sequential models forget", rows(), pairs(), lengths)
    assert claim.holds is holds
    assert "from 8 to 32 frames" in claim.evidence


def test_seeds_count_by_their_mean():
    more = [*rows(), replace(rows()[0], seed=1, video_accuracy=0.82)]
    assert "vgg_lstm 87.0%" in found("VGG+LSTM is the most", more, pairs()).evidence


def test_the_page_has_one_row_per_network_and_claim():
    accuracy = {
        "rows": [asdict(row) for row in rows()],
        "paired": [asdict(pair) for pair in pairs()],
        **{"test_clips": 126, "test_groups": 42, "classes": 6},
    }
    accuracy["candidates"] = [
        *({"name": f"{name} (rgb)", "by_frames": {"8": 0.92}} for name in ACCURACY),
        {"name": "csn (rgb+flow)"},
    ]
    page = claims.page(accuracy)
    assert "| vgg_lstm | sequential | 8: 92.0% | 0.22 M |" in page
    assert page.count("supported |") + page.count("undecided |") == 10


def test_the_committed_page_is_of_the_committed_measurements():
    accuracy = json.loads(claims.ACCURACY.read_text(encoding="utf-8"))
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page(accuracy)
