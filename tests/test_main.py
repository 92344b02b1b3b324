"""The command line: commands, exit statuses and messages."""

import logging
from pathlib import Path

import pytest

from pipeline.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


def test_every_command_is_a_stage_with_a_module_and_the_other_way_round():
    modules = {path.stem for path in (ROOT / "pipeline" / "stages").glob("*.py")}
    assert set(COMMANDS) == modules - {"__init__", "paths", "records", "windows"}


def test_an_error_that_people_can_mend_is_one_message_and_status_1(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.ERROR):
        assert main(["snapshot"]) == 1
    assert caplog.messages == ["params.yaml does not exist; run from the repository's root"]


def test_an_unknown_command_lists_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["trian"])
    assert "train" in capsys.readouterr().err


def test_a_model_must_be_named_for_train(capsys):
    with pytest.raises(SystemExit):
        main(["train"])
    assert "model" in capsys.readouterr().err
