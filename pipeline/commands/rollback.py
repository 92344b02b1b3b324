"""rollback: give the alias champion back to the champion before the present one."""

import logging

from pipeline.params import Params
from pipeline.tracking.address import tracking_uri

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Move the alias in MLflow, and say from which version to which."""
    # Here, since importing MLflow takes seconds.
    from pipeline.tracking.champions import rollback

    done = rollback(tracking_uri=tracking_uri())
    log.info(
        "version %s is champion again, in place of version %s, which stays registered; rollback "
        "again goes further back, promote lets a model challenge it",
        done.champion,
        done.lost,
    )
