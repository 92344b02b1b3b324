"""models: list the registered versions, what made them, where they stand, and how they did."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.tracking.address import tracking_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.params import Params
    from pipeline.tracking.versions import VersionRecord

_COLUMNS = ("version", "model", "standing", "test accuracy", "forms", "clips", "code", "registered")


def run(params: Params, as_json: bool = False) -> None:
    """Print one row per version, the newest first; or a JSON document per line."""
    # Here, since importing MLflow takes seconds.
    from pipeline.tracking.versions import list_versions

    versions = list_versions(tracking_uri=tracking_uri())
    if as_json:
        lines = [json.dumps(asdict(version), ensure_ascii=False) for version in versions]
    else:
        lines = table([_COLUMNS, *map(_row, versions)])
    sys.stdout.writelines(f"{line}\n" for line in lines)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return [line.rstrip() for line in lines]


def _row(version: VersionRecord) -> tuple[str, ...]:
    made_from = version.made_from
    return (
        str(version.version),
        version.model,
        version.standing + (" (rolled back)" if version.rolled_back else ""),
        _accuracy(version),
        ", ".join(
            f"{form} {_percent(values.get('video_accuracy'))}"
            for form, values in version.forms.items()
        )
        or ("no bundle" if not version.bundle else ""),
        made_from["clips"][:8],
        made_from["git_revision"][:8],
        version.registered[:16].replace("T", " "),
    )


def _accuracy(version: VersionRecord) -> str:
    low, high = map(_percent, version.video_accuracy_ci95)
    return f"{_percent(version.video_accuracy)} ({low}–{high})"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.1f}"
