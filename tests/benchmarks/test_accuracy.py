"""What is put together from a finished work tree."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml

from benchmarks import accuracy, charts
from pipeline.evaluation.candidates import Candidate, compare_pairs, summarize
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.report.candidates import write_json
from tests.conftest import ROOT
from tests.report.example import CSN

MODELS = {
    "csn-0": {"architecture": "csn", "stream": "rgb", "seed": 0},
    "csn-1": {"architecture": "csn", "stream": "rgb", "seed": 1},
    "csn-flow": {"architecture": "csn", "stream": "flow", "seed": 0},
    "vgg-m": {"architecture": "vgg_lstm", "stream": "rgb", "seed": 0, "backbone": "mobilenet"},
}
RIGHT = {"csn-0": 20, "csn-1": 18, "csn-flow": 10, "vgg-m": 19, "csn-0+csn-flow": 20}
LENGTHS = [{"name": "csn (rgb)", "frames": {"8": {"video_accuracy": 0.9}}}]


def videos(right):
    """Twenty clips of ten groups, the first `right` of them right."""
    sure = np.arange(20) < right
    names = np.array([f"clip{i:02}" for i in range(20)])
    groups = np.array([f"g{i // 2}" for i in range(20)])
    probabilities = np.stack([sure, ~sure], axis=1).astype(np.float32)
    return Predictions(("a", "b"), names, groups, np.zeros(20, np.int64), probabilities)


@pytest.fixture
def tree(tmp_path):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params | {"models": MODELS}))
    rows = [
        replace(CSN, **row, video_accuracy=RIGHT[name] / 20, frames=8, stride=0.25)
        for name, row in MODELS.items()
    ]
    rows.append(replace(CSN, stream="rgb+flow", video_accuracy=1.0))
    (tmp_path / "results").mkdir()
    (tmp_path / "results/comparison.json").write_text(json.dumps([asdict(row) for row in rows]))
    candidates = [
        Candidate("csn (rgb)", {0: videos(20), 1: videos(18)}),
        Candidate("csn (flow)", {0: videos(10)}),
        Candidate("vgg_lstm, pretrained (rgb)", {0: videos(19)}),
        Candidate("csn (rgb+flow)", {0: videos(20)}),
    ]
    summaries = [summarize(each) for each in candidates]
    write_json(tmp_path / "results/summary.json", summaries, compare_pairs(candidates))
    for name in MODELS:
        folder = tmp_path / "data/evaluate" / name / "controls"
        folder.mkdir(parents=True)
        for control, share in (("ordered", 1), ("still", 0.5), ("shuffled", 1)):
            write_predictions(folder / f"{control}.parquet", videos(int(RIGHT[name] * share)))
    return tmp_path


@pytest.fixture
def result(tree, monkeypatch):
    cost = {"latency_clip_ms": 40.0, "peak_mib": 700.0}
    monkeypatch.setattr(accuracy, "_apart", lambda tree, params, models: cost if models else {})
    return accuracy.measured(tree)


def test_seeds_are_one_candidate_and_a_fusion_is_no_single_model(tree, result):
    assert [(each["name"], each["seeds"]) for each in result["candidates"]] == [
        ("csn (rgb)", [0, 1]),
        ("csn (flow)", [0]),
        ("vgg_lstm, pretrained (rgb)", [0]),
        ("csn (rgb+flow)", [0]),
    ]
    assert "peak_mib" in result["candidates"][0]
    assert "peak_mib" not in result["candidates"][-1]
    assert len(result["paired"]) == 6


def test_bars_are_met_or_not_by_the_means(result):
    assert result["bars"] == {
        "rgb from scratch above 90 %": {"csn (rgb)": True},
        "best rgb+flow above 95 %": True,
        "a pretrained backbone above 95 %": False,  # not above: at
    }


def test_controls_are_over_all_seeds_with_the_chance_of_having_lost_as_much(result):
    csn, flow, _ = result["controls"]
    assert (csn["name"], csn["ordered"], csn["still"]) == ("csn (rgb)", 0.95, 0.475)
    assert csn["p"]["still"] < 0.1
    assert csn["p"]["shuffled"] == 1
    assert flow["name"] == "csn (flow)"


def test_the_table_and_the_chart_show_every_candidate(result):
    table = accuracy.markdown(result).splitlines()
    assert table[2].startswith("| csn | rgb+flow | 1 | 100.0 % (100.0 – 100.0) |")
    assert "| csn | rgb | 2 | 95.0 % (90.0 – 100.0) |" in "\n".join(table)
    assert len({line.count("|") for line in table[:6]}) == 1
    left, middle, right = charts.accuracy(result, LENGTHS).axes
    assert len(left.get_yticklabels()) == 4
    assert len(middle.containers) == 3
    assert len(right.lines) == 1
    json.dumps(result, allow_nan=False)
