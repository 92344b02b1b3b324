"""classify: say what videos show, by the champion or by any other bundle."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from pipeline.errors import BundleError, ClipError, PipelineError
from pipeline.files import is_machine_error, written_aside
from pipeline.inference.answers import open_writer
from pipeline.inference.bundles import find_bundles
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.inference.inputs import find_inputs, local_file
from pipeline.paths import STATE
from pipeline.tracking.address import tracking_uri

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.inference.classifier import Answer
    from pipeline.inference.inputs import Input
    from pipeline.params import Params

log = logging.getLogger(__name__)

SCRATCH = STATE / "downloads"


def run(
    params: Params,
    inputs: Sequence[str],
    model: Sequence[str] = (),
    form: str = "float32",
    output: str = "table",
    coverage: float | None = None,
    video: Path | None = None,
) -> None:
    """Print what each input shows, and write it with captions to `video`.

    A ClipError says how many inputs failed; the others are done.
    """
    folders = find_bundles(model, params.models, tracking_uri=tracking_uri())
    threads = params.machine.threads or os.cpu_count() or 1
    classifier = Classifier.load(folders, form=form, threads=threads)
    stated = _stated(classifier, coverage)
    videos = find_inputs(inputs, apart_from=video)
    targets = _targets(videos, video)
    writer = open_writer(output, sys.stdout, [each.name for each in videos], coverage=stated)
    failed = []
    for each, target in zip(videos, targets, strict=True):
        outcome = _outcome(classifier, each, target, timeout=params.machine.timeout)
        writer.write(each.name, classifier.name, outcome)
        if isinstance(outcome, str):
            failed.append(each.name)
    if failed:
        raise ClipError(f"{len(failed)} of {len(videos)} were not classified: {', '.join(failed)}")


def _outcome(
    classifier: Classifier, video: Input, target: Path | None, *, timeout: float
) -> Answer | str:
    """What one input shows, or why that cannot be told, whatever exception it causes.

    What the machine lacks (room, open files) is not the video's fault, and is raised.
    """
    try:
        with local_file(video, scratch=SCRATCH, timeout=timeout) as path:
            answer = classify_video(classifier, path)
            if target is not None:
                _write_captioned(path, target, answer)
    except Exception as error:
        if is_machine_error(error) or isinstance(error, BundleError):
            raise
        if isinstance(error, PipelineError | OSError):
            return str(error)
        log.exception("%s", video.name)
        return f"{type(error).__name__}: {error}"
    return answer


def _write_captioned(path: Path, target: Path, answer: Answer) -> None:
    # Here, since Matplotlib and its fonts are needed for nothing else.
    from pipeline.report.captions import Captions
    from pipeline.video.write import annotate

    with written_aside(target) as aside:
        annotate(path, aside, Captions(answer).draw)


def _stated(classifier: Classifier, coverage: float | None) -> str | None:
    """The coverage as cards state it; a BundleError lists those that are there."""
    if coverage is None:
        return None
    stated, there = f"{coverage:.2f}", classifier.coverages
    if stated not in there:
        raise BundleError(
            f"{classifier.name} has no prediction sets of coverage {coverage:g}; "
            f"ask for {', '.join(there) or 'none'}"
        )
    return stated


def _targets(videos: Sequence[Input], target: Path | None) -> list[Path | None]:
    """The files to write: the one that is named, or one in that folder for each of several."""
    if target is None:
        return [None] * len(videos)
    if len(videos) == 1 and not target.is_dir() and target.suffix.lower() == ".mp4":
        targets = [target]
    else:
        targets = [target / each.place.with_suffix(".mp4") for each in videos]
    _demand_apart(videos, targets)
    return list(targets)


def _demand_apart(videos: Sequence[Input], targets: Sequence[Path]) -> None:
    """Refuse names that cannot work before any video is classified."""
    taken: dict[Path, Input] = {}
    for video, target in zip(videos, targets, strict=True):
        if video.url is None and target.resolve() == video.path.resolve():
            raise ClipError(f"{target} would replace its original; name another file")
        twin = taken.setdefault(target, video)
        if twin is not video:
            raise ClipError(
                f"{twin.name} and {video.name} would both become {target}; classify them apart"
            )
