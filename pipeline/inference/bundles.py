"""Which bundles a name means: a row of params, a folder, a registered model, two of them fused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BundleError
from pipeline.inference import card
from pipeline.paths import EXPORT, STATE
from pipeline.tracking.lookup import CHAMPION_URI
from pipeline.tracking.registered import fetch_bundle

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FETCHED = STATE / "bundles"


def find_bundles(names: Sequence[str], rows: Collection[str], *, tracking_uri: str) -> list[Path]:
    """The folders of the bundles that `names` mean; of no name, the champion's.

    A name is a row of params, a row `rgb+flow` of a late fusion, a bundle's folder, or
    `models:/NAME@ALIAS` or `models:/NAME/VERSION`. Raises a BundleError or TrackingError where
    there is no such bundle.
    """
    parts = [part for name in names or [CHAMPION_URI] for part in _parts(name, rows)]
    return [_find_bundle(part, rows, tracking_uri) for part in parts]


def _parts(name: str, rows: Collection[str]) -> list[str]:
    """The rows that a fusion's name is made of, or the name itself."""
    parts = name.split("+")
    return parts if name not in rows and set(parts) <= set(rows) else [name]


def _find_bundle(name: str, rows: Collection[str], tracking_uri: str) -> Path:
    if name.startswith("models:/"):
        return fetch_bundle(name, FETCHED, tracking_uri=tracking_uri)
    if name in rows:
        return _exported(name)
    if Path(name).is_dir():
        return Path(name)
    raise BundleError(
        f"there is no model {name!r}; name a row of params.yaml ({', '.join(rows)}), a bundle's "
        "folder, or models:/NAME@ALIAS"
    )


def _exported(row: str) -> Path:
    folder = EXPORT / row
    if not (folder / card.FILE).is_file():
        raise BundleError(f"{row} is not exported yet; run `dvc repro export@{row}`")
    return folder
