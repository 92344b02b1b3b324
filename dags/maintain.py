"""maintain: bounds the disk that runs take, once a week.

Old work trees, logs and pieces that nobody reads, branches of old runs (not of those that made a
champion), and the data that no branch names any more. It takes all slots of the pool `training`, so
that no stage runs meanwhile.
"""

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, dag, task

ROOT = Path(__file__).parents[1]
SLOTS = int(os.environ.get("TRAINING_SLOTS", "1"))


@task.bash(cwd=str(ROOT), pool="training", pool_slots=SLOTS)
def clean() -> str:
    """Delete what neither a branch nor a running task needs."""
    return "python -m pipeline maintain"


@dag(
    schedule=CronTriggerTimetable("0 1 * * 0", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    tags=["maintenance"],
    default_args={
        "owner": "ml",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=4),
    },
    doc_md=__doc__,
)
def maintain() -> None:
    """Bound the disk."""
    clean()


maintain()
