"""The study of trainings: what is kept of each, and how studies add up."""

import json
from dataclasses import replace

import numpy as np
import yaml

from benchmarks import accuracy, trainings
from benchmarks.trainings import read_study, write_study
from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.paths import CATALOGUE


def part(trees, *splits):
    return {split: trees[split] for split in splits}


def edit(tree, change):
    path = tree / "params.yaml"
    params = yaml.safe_load(path.read_text())
    change(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def test_each_training_keeps_its_answers_on_the_test_clips_of_its_split(study):
    csn = study.trainings[0]
    assert (csn.row.name, csn.row.split) == ("csn (rgb)", 1)
    answers = study.answers(csn)
    assert answers.clips[0] == "clip1-00"
    assert answers.accuracy == csn.row.video_accuracy == 1.0
    assert study.answers(csn, "still").accuracy == 0.5
    assert len(study.trainings) == 12  # three networks and a fusion, on three splits


def test_costs_are_measured_on_the_first_split_and_none_of_a_fusion(study):
    costly = [(each.row.name, each.row.split) for each in study.trainings if each.cost]
    assert costly == [
        ("csn (rgb)", 1),
        ("csn (flow)", 1),
        ("vgg_lstm, pretrained (rgb)", 1),
    ]


def test_the_cost_of_a_network_that_the_first_split_lacks_is_measured_on_its_own_first(
    trees, measure
):
    edit(trees[1], lambda params: params["models"].pop("csn-flow"))
    costly = {each.row.name: each.row.split for each in measure(trees).trainings if each.cost}
    assert costly == {"csn (rgb)": 1, "vgg_lstm, pretrained (rgb)": 1, "csn (flow)": 2}


def test_a_study_is_read_as_it_was_written(study, tmp_path):
    path = tmp_path / "trainings.json"
    assert read_study(path) is None
    write_study(path, study)
    read = accuracy.summary(read_study(path))
    assert json.dumps(read) == json.dumps(accuracy.summary(study))
    assert len(path.read_text().splitlines()) == len(study.trainings) + 2


def test_splits_measured_one_after_the_other_say_what_all_at_once_say(trees, measure, tmp_path):
    path, found = tmp_path / "trainings.json", None
    for splits in ((2,), (3, 1)):
        found = measure(part(trees, *splits)).added_to(read_study(path))
        write_study(path, found)
    assert [each.row.split for each in found.trainings] == [1] * 4 + [2] * 4 + [3] * 4
    whole = accuracy.summary(measure(trees))
    for key in ("paired", "controls", "bars", "test_clips", "protocol"):
        assert accuracy.summary(found)[key] == whole[key]


def test_what_is_trained_anew_takes_the_place_of_what_was_there(trees, measure):
    earlier = measure(part(trees, 1, 2))
    worse = [replace(each, predicted=[1] * 20) for each in earlier.trainings]
    found = measure(part(trees, 1)).added_to(replace(earlier, trainings=worse))
    shares = {split: found.answers(each).accuracy for split, each in _of(found, "csn (rgb)")}
    assert shares == {1: 1.0, 2: 0.0}


def _of(study, name):
    return [(each.row.split, each) for each in study.trainings if each.row.name == name]


def test_trainings_by_other_settings_are_not_added(trees, measure):
    earlier = measure(part(trees, 1))
    edit(trees[2], lambda params: params["train"].update(mixup=0.1))
    assert {each.row.split for each in measure(part(trees, 2)).added_to(earlier).trainings} == {2}


def test_trainings_of_other_clips_are_not_added(trees, measure):
    earlier = measure(part(trees, 1))
    rows = [{"clip": "a/1", "class_name": "a", "kept": True, "sha256": f"{2:064}"}]
    write_catalogue(build_catalogue(rows), trees[2] / CATALOGUE)
    assert {each.row.split for each in measure(part(trees, 2)).added_to(earlier).trainings} == {2}


def test_a_network_by_another_row_of_params_is_not_added_and_the_others_are(trees, measure):
    earlier = measure(part(trees, 1))
    edit(trees[2], lambda params: params["models"]["csn-rgb"].update(max_minutes=3.0))
    found = measure(part(trees, 2)).added_to(earlier)
    assert [split for split, _ in _of(found, "csn (rgb)")] == [2]
    assert [split for split, _ in _of(found, "csn (flow)")] == [1, 2]


def test_controls_are_kept_in_the_order_of_the_clips(trees, measure):
    study = measure(part(trees, 1))
    still = study.answers(study.trainings[0], "still")
    np.testing.assert_array_equal(still.correct, np.arange(20) < 10)


def test_clips_are_listed_with_their_hashes(tmp_path):
    rows = [
        {"clip": f"a/{number}", "class_name": "a", "kept": number > 0, "sha256": f"{number:064}"}
        for number in range(2)
    ]
    write_catalogue(build_catalogue(rows), tmp_path / CATALOGUE)
    assert trainings.clip_list(tmp_path) == f"a/1\t{1:064}\n"
