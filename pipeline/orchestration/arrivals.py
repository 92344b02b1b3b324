"""Whether clips have arrived: `python -m pipeline arrivals`.

The exit status is 0 if they have, and 99 if not, which Airflow shows as "skipped". What is still
being copied counts once two checks in a row find the same: a hundred clips are one arrival.
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

HISTORY = STATE / "arrivals.json"


def arrived(listing: dict[str, object], history: Path) -> bool:
    """Whether `listing` differs from the last arrival and equals the last check, kept in `history`.

    The first check sets the baseline.
    """
    before = json.loads(history.read_text(encoding="utf-8")) if history.is_file() else {}
    known = before.get("known", listing)
    settled = before.get("seen") == listing
    write_text(history, json.dumps({"seen": listing, "known": listing if settled else known}))
    return settled and listing != known


def run(params: Params) -> int:
    """Check the source of params; the exit status."""
    listing = open_source(params.dataset, params.machine).listing()
    new = arrived(listing, HISTORY)
    log.info("%s: %s", params.dataset.source, "clips have arrived" if new else "nothing new")
    return 0 if new else NOTHING_TO_DO
