"""What the report says of single clips."""

import cv2
import numpy as np

from pipeline.evaluation.mistakes import MisclassifiedClip
from pipeline.report import understanding
from pipeline.report.understanding import ClipMaps

JPEG = cv2.imencode(".jpg", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
CLIP = "Violin/v_Violin_g01_c01"


def test_a_mistaken_clip_has_its_sheet_and_says_who_took_it_for_what():
    clip = MisclassifiedClip(CLIP, "Violin", {"vgg": "Piano", "csn": "Surfing", "resnet": "Piano"})
    section = understanding.misclassified([clip], {CLIP: JPEG}, [("Piano", "Violin", 2)], 4)
    text = section.body
    assert "by 4 models:\nPiano and Violin (2×)" in text
    caption = "v_Violin_g01_c01 (Violin) was classified as Piano by vgg, resnet; Surfing by csn."
    assert f"<figcaption>{caption}</figcaption>" in text
    assert "data:image/jpeg" in text


def test_models_without_mistakes_are_said_to_have_none():
    assert "No model misclassifies" in understanding.misclassified([], {}, [], 4).body


def test_models_look_at_the_same_clip_below_one_heading():
    maps = [
        ClipMaps("vgg", "Violin", CLIP, "Violin", JPEG),
        ClipMaps("csn", "Violin", CLIP, "Piano", JPEG),
    ]
    text = understanding.activation_maps(maps).body
    assert text.count("<h3>") == 1
    assert "<h3>Violin: v_Violin_g01_c01</h3>" in text
    assert "<figcaption>vgg: correct</figcaption>" in text
    assert "<figcaption>csn: predicts Piano</figcaption>" in text
