"""stylize: repaint a video, a picture or a folder of them in the style of a picture."""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from pipeline.dataset.names import is_video, visible_files
from pipeline.errors import ClipError, StyleError
from pipeline.files import progress_bar, written_aside
from pipeline.params import Params
from pipeline.paths import STATE, STYLE
from pipeline.style.feedforward import FeedForward, load_generator
from pipeline.style.images import LARGEST, PICTURES, picture_hash, read_picture, shrink
from pipeline.style.nst import NeuralStyle
from pipeline.tracking.address import tracking_uri
from pipeline.video.decode import Picture
from pipeline.video.probe import probe
from pipeline.video.write import read_comment, rewrite

log = logging.getLogger(__name__)

Painter = NeuralStyle | FeedForward
PREVIEW = 3.0  # seconds


def run(
    params: Params, source: Path, target: Path, method: str, style: Path, preview: bool = False
) -> None:
    """Write what `source` holds to `target`, painted; a StyleError names what could not be.

    Of a folder, each video and picture becomes a file of the same name in the folder `target`;
    videos end in .mp4. A video that is there already, made of the same, is left alone.
    """
    files = _files(source, target)
    paint, _ = file_painter(params, method, style, preview=preview)
    failed = []
    for original, painted in files:
        try:
            paint(original, painted)
        except (ClipError, StyleError) as error:
            log.error("%s: %s", original, error)  # noqa: TRY400 - these errors explain themselves
            failed.append(original.name)
    if failed:
        raise StyleError(f"{len(failed)} of {len(files)} were not stylized: {', '.join(failed)}")


def file_painter(
    params: Params, method: str, style: Path, *, preview: bool
) -> tuple[Callable[[Path, Path], None], list[Path]]:
    """What paints a file to another, or raises ClipError or StyleError; and what it hangs on."""
    painter, made_from = _painter(params, method, style)
    settings = f"{method} {params.stylize.model_dump_json()} preview={preview}"
    made_of = _hash(settings.encode(), *made_from)

    def paint(original: Path, painted: Path) -> None:
        if is_video(original.name):
            _video(original, painted, painter, made_of, PREVIEW if preview else None)
        else:
            _picture(original, painted, painter)

    return paint, made_from


def _painter(params: Params, method: str, style: Path) -> tuple[Painter, list[Path]]:
    """What paints, and the files that its results hang on."""
    if method == "nst":
        optimizer = NeuralStyle(read_picture(style), params.stylize)
        return optimizer, [style, Path(params.stylize.features)]
    network = _network(params, method, style)
    painter = FeedForward(
        load_generator(network),
        blend=params.stylize.blend,
        keep_colours=params.stylize.keep_colours,
    )
    return painter, [network]


def _network(params: Params, method: str, style: Path) -> Path:
    """The file of the network that `style` means.

    That is a file, a registered model, a row of params.yaml, or the picture or folder it learned.
    """
    if style.suffix == ".keras":
        return style
    if str(style).startswith("models:/"):
        return _registered(str(style))
    for name, row in params.styles.items():
        if str(style) == name or (row.method, row.paintings) == (method, str(style)):
            return _demand_trained(STYLE / name / "model.keras", name)
    painting = picture_hash(shrink(read_picture(style), LARGEST))
    for record in sorted(STYLE.glob("*/record.json")):
        learned = json.loads(record.read_text(encoding="utf-8"))
        if learned["method"] == method and learned["painting_hash"] == painting:
            return record.with_name("model.keras")
    raise StyleError(
        f"no {method} network has learned {style}; add to styles in params.yaml the row "
        f"`NAME: {{method: {method}, photos: clips, paintings: {style}}}`, run "
        "`dvc repro style@NAME`, or use --method nst"
    )


def _registered(uri: str) -> Path:
    # Here, since importing MLflow takes seconds, and most networks are files.
    from pipeline.tracking.registered import fetch

    folder = STATE / "registered" / hashlib.sha256(uri.encode()).hexdigest()[:16]
    return fetch(uri, folder, tracking_uri=tracking_uri())


def _demand_trained(network: Path, name: str) -> Path:
    if not network.is_file():
        raise StyleError(f"{name} is not trained yet; run `dvc repro style@{name}`")
    return network


def _video(
    source: Path, target: Path, painter: Painter, made_of: bytes, seconds: float | None
) -> None:
    mark = _hash(made_of, source).hex()
    if target.exists() and read_comment(target) == mark:
        log.info("%s is done", target)
        return
    probed = probe(source)
    total = (
        probed.frames if seconds is None else min(probed.frames, math.ceil(seconds * probed.fps))
    )

    def change(frames: Iterator[Picture]) -> Iterator[Picture]:
        painted = painter.restyle(frames)
        yield from progress_bar(painted, desc=source.name, total=total, unit="frame")

    with written_aside(target) as aside:
        rewrite(source, aside, change, comment=mark, seconds=seconds)


def _picture(source: Path, target: Path, painter: Painter) -> None:
    (painted,) = painter.restyle(iter([read_picture(source)]))
    with written_aside(target) as aside:
        aside.write_bytes(bytes(cv2.imencode(target.suffix, painted)[1]))
    log.info("%s is done", target)


def _files(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """What to read and what to write."""
    if source.is_dir():
        found = [path for path in visible_files(source) if _is_meant(path, target)]
        pairs = [(path, target / _name(path.relative_to(source))) for path in found]
    elif source.is_file():
        pairs = [(source, target / _name(Path(source.name)) if target.is_dir() else target)]
    else:
        raise StyleError(f"{source} does not exist")
    _demand_sound(source, pairs)
    return pairs


def _is_meant(path: Path, target: Path) -> bool:
    kind = is_video(path.name) or path.suffix.lower() in PICTURES
    return kind and not path.is_relative_to(target)


def _name(path: Path) -> Path:
    return path.with_suffix(".mp4") if is_video(path.name) else path


def _demand_sound(source: Path, pairs: list[tuple[Path, Path]]) -> None:
    """Refuse, before anything is made, files that nothing good could come of."""
    if not pairs:
        raise StyleError(f"{source} holds no videos and no pictures")
    targets: dict[Path, Path] = {}
    for original, painted in pairs:
        suffixes = {".mp4"} if is_video(original.name) else PICTURES
        if painted.suffix.lower() not in suffixes:
            raise StyleError(f"{painted} must end in {' or '.join(sorted(suffixes))}")
        if painted.resolve() == original.resolve():
            raise StyleError(f"{painted} would replace what it is made of; name another file")
        twin = targets.setdefault(painted, original)
        if twin is not original:
            raise StyleError(f"{twin} and {original} would both become {painted}; rename one")


def _hash(made_of: bytes, *files: Path) -> bytes:
    digest = hashlib.sha256(made_of)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.digest()
