"""The report's part on forms."""

from dataclasses import replace

from pipeline.report import forms
from tests.report.example import CSN, FORMS, cells

EXPORTED = replace(CSN, forms=FORMS)


def test_each_form_of_each_model_has_a_row():
    section = forms.section([EXPORTED, CSN])
    assert section.heading == "Forms for inference"
    rows = cells(section.body)
    assert [row[:2] for row in rows] == [["csn (rgb)", form] for form in FORMS]
    assert rows[2][2:] == ["0.25 MB", "91.2%", "85.0%", "98.0%", "0.01", "2.0 ms"]


def test_the_verdict_is_the_worst_of_all_models():
    slow = FORMS | {"int8": FORMS["int8"] | {"latency_ms": 4.0, "video_accuracy": 0.93}}
    body = forms.section([EXPORTED, replace(CSN, forms=slow)]).body
    assert "loses 0.8 points of video accuracy at most" in body
    assert "25% of the size of float32 and takes at most 50% of Keras&#39; time" in body


def test_without_exported_models_there_is_no_section():
    assert forms.section([CSN]) is None


def test_the_table_for_people_has_the_same_cells():
    table = forms.markdown([EXPORTED, CSN]).splitlines()
    assert table[0].startswith("| model | form | size |")
    assert "| csn (rgb) | int8 | 0.25 MB | 91.2% | 85.0% | 98.0% | 0.01 | 2.0 ms |" in table
    assert len(table) == 2 + len(FORMS)
