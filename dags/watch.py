"""watch: checks the folder of params.yaml for new clips; when they have arrived, retrain starts.

It runs only if `dataset.source` is a folder or file. It waits until no clip is still being copied.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import Asset, dag, task

from pipeline.orchestration.graph import read_params

ROOT = Path(__file__).parents[1]
DRAWN_OR_DOWNLOADED = ("sample", "ucf101")
WATCHED = read_params(ROOT)["dataset"]["source"] not in DRAWN_OR_DOWNLOADED


@task.bash(cwd=str(ROOT), outlets=[Asset("new_clips")])
def check() -> str:
    """Skipped unless clips have arrived and none is still being copied."""
    return "python -m pipeline arrivals"


@dag(
    schedule=timedelta(minutes=5) if WATCHED else None,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    tags=["training"],
    default_args={
        "owner": "ml",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    doc_md=__doc__,
)
def watch() -> None:
    """Announce new clips."""
    check()


watch()
