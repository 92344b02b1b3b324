"""Registered models, fetched from a real registry in a SQLite store."""

import pytest

from pipeline.errors import TrackingError
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.tracking.promotion import Answers, promote
from pipeline.tracking.registered import fetch


def test_a_registered_model_s_file_is_fetched(trained, store, tiny_model, tmp_path):
    answers = Answers(("A",), {"A/a": "A/g1"}, {"A/a": True})
    promote(*trained("csn-rgb"), answers, tracking_uri=store, test=paired_permutation_test)
    for uri in ("models:/video-classification@champion", "models:/video-classification/1"):
        file = fetch(uri, tmp_path / "fetched", tracking_uri=store)
        assert file.suffix == ".keras"
        assert file.stat().st_size > 0.5 * tiny_model.stat().st_size


def test_one_that_is_not_there_is_an_error_that_names_it(store, tmp_path):
    with pytest.raises(TrackingError, match="did not give models:/none/1"):
        fetch("models:/none/1", tmp_path / "fetched", tracking_uri=store)
