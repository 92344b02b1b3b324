"""style: train one style network, with its record, history and sample pictures."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras

from pipeline.dataset.catalogue import groups, labels, read_catalogue
from pipeline.errors import ParamsError
from pipeline.files import code_hash, content_hash, json_hash, write_text
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.paths import CATALOGUE, FEATURES, SHARDS, STATE, STYLE
from pipeline.style.crops import Crops
from pipeline.style.cyclegan import CycleGanTrainer
from pipeline.style.domains import (
    Domain,
    clip_frames,
    folder_pictures,
    halves_by_group,
    with_brush_strokes,
)
from pipeline.style.fast import FastTrainer
from pipeline.style.features import feature_file, load_features
from pipeline.style.feedforward import FeedForward
from pipeline.style.images import picture_hash, shrink
from pipeline.style.networks import discriminator, generator
from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import to_image
from pipeline.style.train_loop import StyleTrainer, StyleTraining, train_in_steps
from pipeline.training.hardware import use_threads
from pipeline.training.observer import Observe, unobserved
from pipeline.training.record import circumstances, write_history
from pipeline.video.pictures import contact_sheet, write_picture

if TYPE_CHECKING:
    from pipeline.params import CycleGan, Fast, Params, Style
    from pipeline.video.decode import Picture

log = logging.getLogger(__name__)

BRUSHED = 64  # pictures redrawn with brush strokes, at most
SAMPLES = 8  # held-out photographs in samples.png
SAMPLE_SIZE = (128, 96)  # their width and height there
WIDTHS, BLOCKS = (8, 24, 48), 4  # of generators: 10 frames a second at 320×240 on two cores
DISCRIMINATOR_WIDTH = 24  # channels of the discriminators' first layer


def run(params: Params, style: str, *, observe: Observe = unobserved) -> None:
    """Write data/style/STYLE/{model.keras,record.json,history.csv,style.png,samples.png}.

    `observe` is given what is known before training, and sees the metrics as they are measured.
    """
    if style not in params.styles:
        raise ParamsError(f"styles has no {style!r}; params.yaml lists {', '.join(params.styles)}")
    use_threads(params.machine.threads)
    row, folder = params.styles[style], STYLE / style
    if row.method == "fast" and not _is_one_picture(row.style_images):
        raise ParamsError(
            f"styles.{style}.style_images is {row.style_images}, which is not one picture; "
            "fast learns from one: name a file, or brush"
        )
    photos, style_images = _domains(row)
    trainer = _trainer(params, row, photos, style_images)
    provenance = _provenance(params, style, photos, style_images)
    state = STATE / "style" / provenance["key"][:16]
    with observe(provenance) as observer:
        steps = getattr(params, row.method).steps
        training = train_in_steps(trainer, steps=steps, state=state, on_row=observer.on_epoch)
    _write(folder, trainer.network, provenance, training)
    write_picture(folder / "style.png", style_images.training[0])
    write_picture(folder / "samples.png", _samples(trainer.network, photos.held_out))
    shutil.rmtree(state)
    log.info("%s: %d steps in %.0f s", style, steps, training.seconds)


def _domains(row: Style) -> tuple[Domain, Domain]:
    """Photographs and style images; where both come from the shards, they share no group."""
    limit = 1 if row.method == "fast" else BRUSHED
    return _domain(row.photos, 0, limit), _domain(row.style_images, 1, limit)


def _is_one_picture(style_images: str | list[str]) -> bool:
    return isinstance(style_images, str) and (
        style_images == "brush" or Path(style_images).is_file()
    )


def _domain(pictures: str | list[str], half: int, limit: int) -> Domain:
    if isinstance(pictures, str) and pictures not in ("clips", "brush"):
        return folder_pictures(Path(pictures))
    catalogue = read_catalogue(CATALOGUE)
    clips = halves_by_group(groups(catalogue))[half]
    chosen = {
        clip: split == "validation"
        for split in ("train", "validation")
        for clip in labels(catalogue, split).keys() & clips
        if isinstance(pictures, str) or clip.partition("/")[0] in pictures
    }
    if not chosen:
        raise ParamsError(f"styles names the classes {pictures}, of which the shards hold no clips")
    domain = clip_frames(sorted((SHARDS.parent / "parquet").glob("*.parquet")), chosen)
    return with_brush_strokes(domain, limit=limit) if pictures == "brush" else domain


def _trainer(params: Params, row: Style, photos: Domain, style_images: Domain) -> StyleTrainer:
    if row.method == "cyclegan":
        return _cyclegan(params.cyclegan, photos, style_images)
    settings = params.fast
    style = to_image(shrink(style_images.training[0], 2 * settings.size))
    return FastTrainer(
        generator(widths=WIDTHS, blocks=BLOCKS),
        PerceptualLoss(load_features(FEATURES), style),
        photos=_crops(photos.training, settings),
        held_out=_crops(photos.held_out, settings, SAMPLES),
        settings=settings,
    )


def _cyclegan(settings: CycleGan, photos: Domain, style_images: Domain) -> CycleGanTrainer:
    return CycleGanTrainer(
        [generator(widths=WIDTHS, blocks=BLOCKS, residual=True, seed=seed) for seed in (0, 1)],
        [discriminator(width=DISCRIMINATOR_WIDTH, seed=seed) for seed in (2, 3)],
        training=[_crops(each.training, settings) for each in (photos, style_images)],
        held_out=[_crops(each.held_out, settings, SAMPLES) for each in (photos, style_images)],
        settings=settings,
    )


def _crops(pictures: list[Picture], settings: Fast | CycleGan, number: int | None = None) -> Crops:
    return Crops(pictures, settings.size, number or settings.batch_size)


def _provenance(params: Params, style: str, photos: Domain, style_images: Domain) -> dict[str, Any]:
    """The record as known before training; `key` is the hash of all that decides the network."""
    row = params.styles[style]
    made_from = {
        **row.model_dump(),
        "params": getattr(params, row.method).model_dump(),
        "photos_hash": _hash(photos),
        "style_images_hash": _hash(style_images),
    }
    if row.method == "fast":
        made_from["features_hash"] = content_hash(feature_file(FEATURES))
    return {
        "key": json_hash([made_from, code_hash(__name__)]),
        "stage": "style",
        "model": style,
        **made_from,
        "style_image_hash": picture_hash(style_images.training[0]),
        **circumstances(params.machine.threads),
    }


def _write(
    folder: Path, network: keras.Model, provenance: dict[str, Any], training: StyleTraining
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_layers(network, PictureConv2D, keras.layers.Conv2D).save(folder / "model.keras")
    record = provenance | {
        "parameters": network.count_params(),
        "size_bytes": (folder / "model.keras").stat().st_size,
        "train_seconds": training.seconds,
    }
    write_history(folder / "history.csv", training.history)
    write_text(folder / "record.json", json.dumps(record, indent=2) + "\n")


def _samples(network: keras.Model, photos: list[Picture]) -> Picture:
    """Held-out photographs, above the same stylized."""
    spread = photos[:: max(1, len(photos) // SAMPLES)][:SAMPLES]
    above = [cv2.resize(photo, SAMPLE_SIZE) for photo in spread]
    stylizer = FeedForward(network)
    return contact_sheet(above + [stylizer.picture(photo) for photo in above], columns=len(above))


def _hash(domain: Domain) -> str:
    return json_hash([picture_hash(picture) for picture in domain.training + domain.held_out])
