"""Whether clips have arrived: `python -m pipeline arrivals`.

The exit status is 0 if they have, and 99 if not, which Airflow shows as "skipped". What is still
being copied counts once two looks in a row find the same: a hundred clips are one arrival.
"""

import json
import logging
from pathlib import Path

from pipeline.files import write_text
from pipeline.orchestration.worktree import NOTHING_TO_DO
from pipeline.params import Params
from pipeline.paths import STATE
from pipeline.sources.sources import open_source

log = logging.getLogger(__name__)

LOOKS = STATE / "arrivals.json"


def arrived(listing: dict[str, object], looks: Path) -> bool:
    """Compare with the last look and the last arrival, and remember this look in `looks`.

    The first look of all is where arrivals are counted from.
    """
    before = json.loads(looks.read_text(encoding="utf-8")) if looks.is_file() else {}
    known = before.get("known", listing)
    settled = before.get("seen") == listing
    write_text(looks, json.dumps({"seen": listing, "known": listing if settled else known}))
    return settled and listing != known


def run(params: Params) -> int:
    """Look into the source that params name; the exit status."""
    listing = open_source(params.dataset, params.machine).listing()
    new = arrived(listing, LOOKS)
    log.info("%s: %s", params.dataset.source, "clips have arrived" if new else "nothing new")
    return 0 if new else NOTHING_TO_DO
