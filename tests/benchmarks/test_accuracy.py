"""Work trees for UCF101's splits, and what is put together from finished ones."""

import json
import subprocess

import numpy as np
import pytest
import yaml

from benchmarks import accuracy, charts
from pipeline.params import load_params
from tests.benchmarks.conftest import MODELS
from tests.conftest import ROOT


@pytest.fixture
def result(study):
    return accuracy.summary(study)


def test_a_network_is_the_mean_over_the_splits_with_their_range(result):
    csn = result["candidates"][0]
    assert (csn["name"], csn["trainings"]) == ("csn (rgb)", 3)
    assert csn["splits"] == {1: 1.0, 2: 0.9, 3: 0.95}
    shares = [csn[key] for key in ("mean", "lowest", "highest", "over_clips", "over_groups")]
    assert shares == pytest.approx([0.95, 0.9, 1.0, 0.95, 0.95])
    assert csn["ci95"][0] < 0.95 < csn["ci95"][1]
    assert csn["by_class"] == {"a": 0.95, "b": 0.0}
    assert (csn["validation_clip_accuracy"], csn["test_clip_accuracy"]) == pytest.approx(
        (0.99, 0.95)
    )
    assert (result["test_clips"], result["test_groups"]) == (60, 30)


def test_a_network_on_rgb_is_also_measured_on_longer_windows(result):
    csn, *others = result["candidates"]
    assert csn["by_frames"] == pytest.approx({"8": 0.82, "16": 0.9})
    assert not any("by_frames" in each for each in others)


def test_the_protocol_tells_which_splits_were_trained_on(result):
    assert "three official splits" in result["protocol"]
    assert accuracy.protocol([2]) == "Official split 2 of UCF101, one training"
    assert "two of UCF101's three" in accuracy.protocol([1, 3])


def test_streams_are_fused_within_each_split(result):
    names = [each["name"] for each in result["candidates"]]
    assert names == [
        "csn (rgb)",
        "csn (flow)",
        "vgg_lstm, pretrained (rgb)",
        "csn (rgb+flow)",
    ]
    assert "peak_mib" in result["candidates"][0]
    assert "peak_mib" not in result["candidates"][-1]
    assert len(result["paired"]) == 6


def test_networks_are_paired_on_the_splits_that_both_were_trained_on(trees, measure):
    for split in (2, 3):
        path = trees[split] / "params.yaml"
        params = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(params | {"models": {"csn-rgb": MODELS["csn-rgb"]}}))
    result = accuracy.summary(measure(trees))
    rgb, flow, *_ = result["candidates"]
    assert (rgb["trainings"], flow["trainings"]) == (3, 1)
    assert (rgb["mean"], flow["mean"]) == pytest.approx((0.95, 0.5))
    assert result["paired"][0]["difference"] == 0.5  # of split 1 alone
    assert result["test_clips"] == 60
    assert "a network with fewer trainings was tested on as many splits" in accuracy.markdown(
        result
    )


def test_splits_of_more_networks_that_are_not_trained_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["accuracy", "--splits", "1", "--more-splits", "2", "1"])
    with pytest.raises(SystemExit):
        accuracy.main()
    assert "--more-splits has [2], and must be among --splits [1]" in capsys.readouterr().err


def test_bars_are_met_or_not_by_the_means(result):
    assert result["bars"] == {
        "rgb from scratch, at least 93%": {"csn (rgb)": True},
        "rgb+flow from scratch, at least 97%": False,
        "flow from scratch, at least 85%": False,
        "pretrained, at least 98%": False,
    }


def test_controls_are_over_all_splits_with_the_chance_of_having_lost_as_much(result):
    csn, *_ = result["controls"]
    assert (csn["name"], csn["ordered"], csn["still"]) == ("csn (rgb)", 0.95, 28 / 60)
    assert csn["p"]["still"] < 0.1
    assert csn["p"]["shuffled"] == 1


def test_the_table_and_the_chart_show_every_candidate(result):
    table = accuracy.markdown(json.loads(json.dumps(result, allow_nan=False))).splitlines()
    assert "| csn | rgb | 3 | 95.0 % (90.0 – 100.0) |" in "\n".join(table)
    assert len({line.count("|") for line in table[:6]}) == 1
    left, middle, right = charts.accuracy(result).axes
    assert len(left.get_yticklabels()) == 4
    assert list(left.lines[-1].get_xdata()) == [93, 93]  # the aim
    assert len(middle.containers) == 3
    assert len(right.lines) == 1


def test_rows_of_models_are_added_and_comments_stay(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text())
    rows = accuracy._more_rows(flow=["r2plus1d", "csn"], backbone="mobilenet")
    assert list(rows) == ["r2plus1d-flow", "csn-flow", "pretrained-rgb"]
    accuracy.add_models(path, rows)
    params = load_params(path)
    assert len(params.models) == 7
    assert params.models["csn-flow"].stream == "flow"
    assert "# frames in a window" in path.read_text()


def test_all_models_of_all_trees_are_trained_with_the_time_left(trees, monkeypatch, caplog):
    called = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: called.append(command[-1]))
    clock = iter(np.arange(0, 1e6, 600.0))  # ten minutes a training
    monkeypatch.setattr(accuracy.time, "perf_counter", lambda: next(clock))
    caplog.set_level("INFO")
    accuracy.train(list(trees.values()))
    assert called == [f"evaluate@{name}" for name in MODELS] * 3
    assert "1 of 9: csn-rgb of split1; about 2:15 h left" in caplog.text
    assert "9 of 9: vgg-m of split3; about 0:10 h left" in caplog.text
