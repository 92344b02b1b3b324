"""Draw README's picture of captions: `python -m benchmarks.caption` once `dvc repro` has run.

Writes caption.png beside this file: what a bundle says of clips that this project draws.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.inference.classifier import Classifier, classify_video
from pipeline.paths import EXPORT
from pipeline.report.captions import Captions
from pipeline.sources.sample.filming import film
from pipeline.video.decode import Picture, first_frames
from pipeline.video.pictures import contact_sheet, write_picture
from pipeline.video.probe import probe

PICTURE = Path(__file__).with_suffix(".png")
CLIPS = (  # of the test groups of split 1
    "FanOpening/v_FanOpening_g03_c01",
    "Bouncing/v_Bouncing_g03_c01",
    "Spinning/v_Spinning_g05_c02",
)


def main() -> None:
    """Draw the clips, classify them, and put a captioned frame of each beside one another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=EXPORT / "csn-rgb")
    classifier = Classifier.load([parser.parse_args().bundle])
    with TemporaryDirectory() as folder:
        film(CLIPS, Path(folder), workers=1)
        pictures = [captioned(classifier, Path(folder) / f"{clip}.avi") for clip in CLIPS]
    write_picture(PICTURE, contact_sheet(pictures, columns=len(pictures)))


def captioned(classifier: Classifier, path: Path) -> Picture:
    """The frame in the middle of a clip, with its caption."""
    answer = classify_video(classifier, path)
    *_, frame = first_frames(path, probe(path).frames // 2)
    return Captions(answer).draw(frame, answer.seconds / 2)


if __name__ == "__main__":
    main()
