"""style: train one network that paints; write it down with its record, history and pictures."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras

from pipeline.dataset.catalogue import groups, labels, read_catalogue
from pipeline.errors import ParamsError
from pipeline.files import code_hash, content_hash, write_text
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.paths import CATALOGUE, SHARDS, STATE, STYLE
from pipeline.style.crops import Crops
from pipeline.style.cyclegan import CycleGanLearner
from pipeline.style.domains import Domain, brushed, clip_frames, folder_pictures, in_two
from pipeline.style.fast import FastLearner
from pipeline.style.features import load_features
from pipeline.style.feedforward import FeedForward
from pipeline.style.fit import Learner, Training, fit
from pipeline.style.images import picture_hash, shrink
from pipeline.style.networks import discriminator, generator
from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import to_image
from pipeline.training.hardware import use_threads
from pipeline.training.observer import Observe, unobserved
from pipeline.training.record import circumstances, write_history
from pipeline.video.decode import Picture
from pipeline.video.pictures import contact_sheet

if TYPE_CHECKING:
    from pipeline.params import CycleGan, Fast, Params, Style

log = logging.getLogger(__name__)

BRUSHED = 64  # pictures that strokes are drawn for
SHOWN = 8  # held-out photographs in the sample grid
SAMPLE = (128, 96)  # their width and height there
WIDTHS, BLOCKS = (8, 24, 48), 4  # of generators: 10 frames a second at 320×240 on two cores
JUDGE = 24  # channels of the discriminators' first layer


def run(params: Params, style: str, *, observe: Observe = unobserved) -> None:
    """Write data/style/STYLE/{model.keras,record.json,history.csv,style.png,samples.png}.

    `observe` is given what is known before training, and sees the metrics as they are measured.
    """
    if style not in params.styles:
        raise ParamsError(f"styles has no {style!r}; params.yaml lists {', '.join(params.styles)}")
    use_threads(params.machine.threads)
    row, folder = params.styles[style], STYLE / style
    if row.method == "fast" and not _is_one_picture(row.paintings):
        raise ParamsError(
            f"styles.{style}.paintings is {row.paintings}, which is not one picture; "
            "fast learns from one: name a file, or strokes"
        )
    photos, paintings = _domains(row)
    learner = _learner(params, row, photos, paintings)
    known = _known(params, style, photos, paintings)
    state = STATE / "style" / known["key"][:16]
    with observe(known) as observer:
        steps = getattr(params, row.method).steps
        training = fit(learner, steps=steps, state=state, on_row=observer.on_epoch)
    _write(folder, learner.network, known, training)
    cv2.imwrite(str(folder / "style.png"), paintings.training[0])
    cv2.imwrite(str(folder / "samples.png"), _samples(learner.network, photos.held_out))
    shutil.rmtree(state)
    log.info("%s: %d steps in %.0f s", style, steps, training.seconds)


def _domains(row: Style) -> tuple[Domain, Domain]:
    """Photographs and paintings; where both come from the shards, they share no group."""
    limit = 1 if row.method == "fast" else BRUSHED
    return _domain(row.photos, 0, limit), _domain(row.paintings, 1, limit)


def _is_one_picture(paintings: str | list[str]) -> bool:
    return isinstance(paintings, str) and (paintings == "strokes" or Path(paintings).is_file())


def _domain(pictures: str | list[str], part: int, limit: int) -> Domain:
    if isinstance(pictures, str) and pictures not in ("clips", "strokes"):
        return folder_pictures(Path(pictures))
    catalogue = read_catalogue(CATALOGUE)
    clips = in_two(groups(catalogue))[part]
    chosen = {
        clip: split == "validation"
        for split in ("train", "validation")
        for clip in labels(catalogue, split).keys() & clips
        if isinstance(pictures, str) or clip.partition("/")[0] in pictures
    }
    if not chosen:
        raise ParamsError(f"styles names the classes {pictures}, of which the shards hold no clips")
    domain = clip_frames(sorted((SHARDS.parent / "parquet").glob("*.parquet")), chosen)
    return brushed(domain, limit=limit) if pictures == "strokes" else domain


def _learner(params: Params, row: Style, photos: Domain, paintings: Domain) -> Learner:
    if row.method == "cyclegan":
        return _cyclegan(params.cyclegan, photos, paintings)
    settings = params.fast
    style = to_image(shrink(paintings.training[0], 2 * settings.size))
    return FastLearner(
        generator(widths=WIDTHS, blocks=BLOCKS),
        PerceptualLoss(load_features(Path(params.stylize.features)), style),
        photos=_crops(photos.training, settings),
        held_out=_crops(photos.held_out, settings, SHOWN),
        settings=settings,
    )


def _cyclegan(settings: CycleGan, photos: Domain, paintings: Domain) -> CycleGanLearner:
    return CycleGanLearner(
        [generator(widths=WIDTHS, blocks=BLOCKS, residual=True, seed=seed) for seed in (0, 1)],
        [discriminator(width=JUDGE, seed=seed) for seed in (2, 3)],
        training=[_crops(each.training, settings) for each in (photos, paintings)],
        held_out=[_crops(each.held_out, settings, SHOWN) for each in (photos, paintings)],
        settings=settings,
    )


def _crops(pictures: list[Picture], settings: Fast | CycleGan, number: int | None = None) -> Crops:
    return Crops(pictures, settings.size, number or settings.batch_size)


def _known(params: Params, style: str, photos: Domain, paintings: Domain) -> dict[str, Any]:
    """What of the record is known before training; `key` is the hash of all that decides it."""
    row = params.styles[style]
    made_of = {
        **row.model_dump(),
        "params": getattr(params, row.method).model_dump(),
        "photos_hash": _hash(photos.training + photos.held_out),
        "paintings_hash": _hash(paintings.training + paintings.held_out),
    }
    if row.method == "fast":
        made_of["features_hash"] = content_hash(Path(params.stylize.features))
    code = code_hash(__name__)
    key = hashlib.sha256(json.dumps([made_of, code], sort_keys=True).encode()).hexdigest()
    return {
        "key": key,
        "stage": "style",
        "model": style,
        **made_of,
        "painting_hash": picture_hash(paintings.training[0]),
        **circumstances(params.machine.threads),
    }


def _write(folder: Path, network: keras.Model, known: dict[str, Any], training: Training) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_layers(network, PictureConv2D, keras.layers.Conv2D).save(folder / "model.keras")
    record = known | {
        "parameters": network.count_params(),
        "size_bytes": (folder / "model.keras").stat().st_size,
        "train_seconds": training.seconds,
    }
    write_history(folder / "history.csv", training.history)
    write_text(folder / "record.json", json.dumps(record, indent=2) + "\n")


def _samples(network: keras.Model, photos: list[Picture]) -> Picture:
    """Held-out photographs above what the network makes of them."""
    chosen = [cv2.resize(photo, SAMPLE) for photo in photos[:: max(1, len(photos) // SHOWN)]]
    above = chosen[:SHOWN]
    painter = FeedForward(network)
    below = [next(painter.restyle(iter([photo]))) for photo in above]
    return contact_sheet(above + below, columns=len(above))


def _hash(pictures: list[Picture]) -> str:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(picture_hash(picture).encode())
    return digest.hexdigest()
