"""stylize: restyle a video, a picture or a folder of them after a style image or by a network."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.dataset.names import is_video, path_text, visible_files
from pipeline.errors import PipelineError, StyleError
from pipeline.files import content_hash, is_machine_error, json_hash, progress_bar, written_aside
from pipeline.paths import FEATURES, STATE, STYLE, TRAIN
from pipeline.style.features import feature_file
from pipeline.style.feedforward import FeedForward, load_generator
from pipeline.style.images import (
    PICTURE_SUFFIXES,
    TRAINING_SIDE,
    picture_hash,
    read_picture,
    shrink,
)
from pipeline.style.nst import NeuralStyle
from pipeline.tracking.address import tracking_uri
from pipeline.video.pictures import write_picture
from pipeline.video.probe import probe
from pipeline.video.write import read_comment, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.params import Params
    from pipeline.style.stylizer import Stylizer
    from pipeline.video.decode import Picture

    StylizeFile = Callable[[Path, Path], None]

log = logging.getLogger(__name__)

PREVIEW = 3.0  # seconds


def run(
    params: Params, source: Path, target: Path, method: str, style: Path, preview: bool = False
) -> None:
    """Write what `source` holds to `target`, stylized; a StyleError lists the files that failed.

    Of a folder, each video and picture becomes a file of the same name in the folder `target`;
    videos end in .mp4. A video that is there already, made from the same, is skipped.
    """
    files = _files(source, target)
    stylize_file, _ = file_stylizer(params, method, style, preview=preview)
    failed = [
        path_text(original.name)
        for original, result in files
        if failure(stylize_file, original, result)
    ]
    if failed:
        raise StyleError(f"{len(failed)} of {len(files)} were not stylized: {', '.join(failed)}")


def failure(stylize_file: StylizeFile, original: Path, result: Path) -> str | None:
    """Stylize one file; whatever exception it causes is logged and returned as its reason.

    What the machine lacks (room, open files) is not the file's fault, and is raised.
    """
    try:
        stylize_file(original, result)
    except Exception as error:
        if is_machine_error(error):
            raise
        expected = isinstance(error, PipelineError | OSError)
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        log.error("%s: %s", path_text(original), reason, exc_info=not expected)  # noqa: TRY400
        return reason
    return None


def file_stylizer(
    params: Params, method: str, style: Path, *, preview: bool
) -> tuple[StylizeFile, list[Path]]:
    """A function from an original file to its result, and the files that results depend on."""
    stylizer, made_from = _stylizer(params, method, style)
    settings = [method, params.stylize.model_dump(), preview]
    provenance = json_hash([settings, *map(content_hash, made_from)])

    def stylize_file(original: Path, result: Path) -> None:
        if is_video(original.name):
            _video(original, result, stylizer, provenance, PREVIEW if preview else None)
        else:
            _picture(original, result, stylizer)

    return stylize_file, made_from


def _stylizer(params: Params, method: str, style: Path) -> tuple[Stylizer, list[Path]]:
    """The stylizer, and the files that its results depend on."""
    if method == "nst":
        named = Path(params.stylize.features)
        chosen_by_stage = named.is_dir() or named == TRAIN
        features = feature_file(FEATURES if chosen_by_stage else named)
        return NeuralStyle(read_picture(style), params.stylize, features), [style, features]
    network = _network(params, method, style)
    generator = load_generator(network)
    settings = params.stylize
    return FeedForward(generator, blend=settings.blend, keep_colours=settings.keep_colours), [
        network
    ]


def _network(params: Params, method: str, style: Path) -> Path:
    """The file of the network that `style` means.

    That is a file, a registered model, a row of params.yaml, or the picture or folder it learned.
    """
    if style.suffix == ".keras":
        return style
    if str(style).startswith("models:/"):
        return _registered(str(style))
    for name, row in params.styles.items():
        if str(style) == name or (row.method, row.style_images) == (method, str(style)):
            return _trained(STYLE / name / "model.keras", name)
    style_image = picture_hash(shrink(read_picture(style), TRAINING_SIDE))
    for path in sorted(STYLE.glob("*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["method"] == method and record.get("style_image_hash") == style_image:
            return path.with_name("model.keras")
    raise StyleError(
        f"no {method} network has learned {style}; add to styles in params.yaml the row "
        f"`NAME: {{method: {method}, photos: clips, style_images: {style}}}`, run "
        "`dvc repro style@NAME`, or use --method nst"
    )


def _registered(uri: str) -> Path:
    # Here, since importing MLflow takes seconds, and most networks are files.
    from pipeline.tracking.registered import fetch

    folder = STATE / "registered" / hashlib.sha256(uri.encode()).hexdigest()[:16]
    return fetch(uri, folder, tracking_uri=tracking_uri())


def _trained(network: Path, name: str) -> Path:
    if not network.is_file():
        raise StyleError(f"{name} is not trained yet; run `dvc repro style@{name}`")
    return network


def _video(
    source: Path, target: Path, stylizer: Stylizer, provenance: str, seconds: float | None
) -> None:
    comment = json_hash([provenance, content_hash(source)])
    if target.exists() and read_comment(target) == comment:
        log.info("%s is done", target)
        return
    probed = probe(source)
    total = (
        probed.frames if seconds is None else min(probed.frames, math.ceil(seconds * probed.fps))
    )

    def change(frames: Iterator[Picture]) -> Iterator[Picture]:
        stylized = stylizer.video(frames)
        yield from progress_bar(stylized, desc=source.name, total=total, unit="frame")

    with written_aside(target) as aside:
        rewrite(source, aside, change, comment=comment, seconds=seconds)


def _picture(source: Path, target: Path, stylizer: Stylizer) -> None:
    stylized = stylizer.picture(read_picture(source))
    write_picture(target, stylized)
    log.info("%s is done", target)


def _files(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pairs of the files to read and to write."""
    if source.is_dir():
        found = [path for path in visible_files(source) if _is_usable(path, target)]
        pairs = [(path, target / _result_name(path.relative_to(source))) for path in found]
    elif source.is_file():
        name = _result_name(Path(source.name))
        pairs = [(source, target / name if target.is_dir() else target)]
    else:
        raise StyleError(f"{source} does not exist")
    _validate_files(source, pairs)
    return pairs


def _is_usable(path: Path, target: Path) -> bool:
    known = is_video(path.name) or path.suffix.lower() in PICTURE_SUFFIXES
    return known and not path.is_relative_to(target)


def _result_name(path: Path) -> Path:
    return path.with_suffix(".mp4") if is_video(path.name) else path


def _validate_files(source: Path, pairs: list[tuple[Path, Path]]) -> None:
    """Refuse names that cannot work before any file is stylized."""
    if not pairs:
        raise StyleError(f"{source} holds no videos and no pictures")
    originals: dict[Path, Path] = {}
    for original, result in pairs:
        suffixes = {".mp4"} if is_video(original.name) else PICTURE_SUFFIXES
        if result.suffix.lower() not in suffixes:
            raise StyleError(f"{result} must end in {' or '.join(sorted(suffixes))}")
        if result.resolve() == original.resolve():
            raise StyleError(f"{result} would replace its original; name another file")
        twin = originals.setdefault(result, original)
        if twin is not original:
            raise StyleError(f"{twin} and {original} would both become {result}; rename one")
