"""features: choose the network whose feature maps the perceptual losses compare."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.models import build
from pipeline.models.architectures import SCRATCH
from pipeline.paths import FEATURES

if TYPE_CHECKING:
    from pipeline.params import Params

OWN = ["vgg_lstm", "rgb", SCRATCH]

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write data/style/_features/: the network of stylize.features, or an untrained vgg_lstm."""
    source = Path(params.stylize.features)
    FEATURES.mkdir(parents=True, exist_ok=True)
    if chosen := _trained(source) if source.is_dir() else source:
        shutil.copyfile(chosen, FEATURES / chosen.name)
        log.info("feature maps are those of %s", chosen)
        return
    log.warning("%s holds no vgg_lstm of the rgb stream: feature maps are untrained", source)
    build("vgg_lstm", input_shape=(2, 64, 64, 3), classes=2).save(FEATURES / "model.keras")


def _trained(folder: Path) -> Path | None:
    """The first vgg_lstm of the rgb stream that was trained from scratch."""
    for path in sorted(folder.glob("*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if [record[key] for key in ("architecture", "stream", "backbone")] == OWN:
            return path.with_name("model.keras")
    return None
