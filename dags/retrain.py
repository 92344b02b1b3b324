"""retrain: every stage of dvc.yaml as a task, then promotion and the run's branch.

A run works in a clone of its own, with params fixed by the form below. A stage that is up to
date, or that DVC finds in its run-cache, shows as *skipped*. A failed or killed task that is
cleared resumes where it stopped.
"""

import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    Context,
    CronTriggerTimetable,
    Param,
    chain,
    dag,
    task,
)

from pipeline.orchestration.graph import read_graph, read_params

log = logging.getLogger("airflow.task")

ROOT = Path(__file__).parents[1]
PARAMS = read_params(ROOT)
# Characters that folder and branch names allow.
TREE = f"{ROOT}/.airflow/worktrees/" + "{{ run_id | replace(':', '') | replace('+', '_') }}"
NEW_CLIPS = Asset("new_clips")

FORM = {
    "dataset.source": Param(
        PARAMS["dataset"]["source"],
        type="string",
        description="sample, ucf101, or a folder, zip or rar of clips",
    ),
    "dataset.classes": Param(
        PARAMS["dataset"]["classes"],
        type=["null", "string", "array"],
        description="a list of names, all, or null: the source's default",
    ),
    "dataset.split": Param(PARAMS["dataset"]["split"], enum=[1, 2, 3]),
    "train.max_minutes": Param(
        PARAMS["train"]["max_minutes"], type="number", exclusiveMinimum=0, description="per model"
    ),
    "train.warm_start": Param(
        PARAMS["train"]["warm_start"],
        type=["null", "string"],
        description="data/train, or another folder of trainings, whose weights models start from",
    ),
}


def explain_failure(context: Context) -> None:
    """Say in the task's log how to resume."""
    task_id = context["ti"].task_id
    log.error("%s failed. Fix the cause and clear the task: it resumes where it stopped.", task_id)


DEFAULTS: dict[str, Any] = {
    "owner": "ml",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "execution_timeout": timedelta(hours=12),
    "on_failure_callback": explain_failure,
    "trigger_rule": "none_failed",  # a skipped task would skip all that follows
    "cwd": str(ROOT),
}


@task.bash(env={"PARAMS": "{{ params | tojson }}"}, append_env=True)
def make_tree() -> str:
    """Make the run's work tree; it shares DVC's cache and the reusable pieces with the project."""
    return f"python -m pipeline worktree make '{TREE}'"


@task.bash(pool="training")
def run_stage(stage: str) -> str:
    """Run one DVC stage; skipped if it is up to date."""
    return f"python -m pipeline worktree stage '{TREE}' '{stage}'"


@task.bash
def promote() -> str:
    """Register the run's best model; it becomes champion if it is significantly better."""
    return f"python -m pipeline worktree promote '{TREE}'"


@task.bash
def publish() -> str:
    """Commit dvc.lock and the results on the run's branch, push it, and log a summary."""
    return f"python -m pipeline worktree publish '{TREE}'"


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 3 * * 1", timezone="UTC", run_immediately=timedelta(0)),
        assets=[NEW_CLIPS],
    ),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=1),
    tags=["training"],
    params=FORM,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def retrain() -> None:
    """Bring models and comparison up to date."""
    first, tasks = make_tree(), {}
    for name, needs in read_graph(ROOT).items():
        task_id = re.sub(r"[^\w.-]", ".", name)
        tasks[name] = run_stage.override(task_id=task_id, task_display_name=name)(name)
        chain([tasks[other] for other in needs] or first, tasks[name])
    chain(list(tasks.values()), promote(), publish())


retrain()
