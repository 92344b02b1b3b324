"""stylize: stylize every new video of an inbox folder, in parallel batches.

Results and manifest.json go to a folder of the outbox named by method, style and size. A video that
cannot be used is set aside there with its reason; one that is done is not done again.
"""

import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task

from pipeline.orchestration.graph import read_params

ROOT = Path(__file__).parents[1]

FORM = {
    "inbox": Param("inbox", type="string", description="folder of videos, with those below it"),
    "outbox": Param("outbox", type="string", description="folder for the results"),
    "method": Param(
        "nst",
        enum=["nst", "fast", "cyclegan"],
        description="nst optimizes each frame; fast, cyclegan: by a style network",
    ),
    "style": Param(
        type="string",
        minLength=1,
        description="a style image, or a row of styles in params.yaml",
    ),
    "size": Param(
        read_params(ROOT)["stylize"]["size"],
        type="integer",
        minimum=16,
        description="longer side, in pixels, at which frames are optimized",
    ),
    "preview": Param(False, type="boolean", description="only the first 3 seconds of each video"),
}

DEFAULTS: dict[str, Any] = {
    "owner": "ml",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "execution_timeout": timedelta(hours=12),
    "cwd": str(ROOT),
    "env": {"PARAMS": "{{ params | tojson }}"},
    "append_env": True,
}


@task.bash(output_processor=json.loads)
def find() -> str:
    """List the new videos in batches; skipped, with all that follows, if there are none."""
    return "python -m pipeline inbox find"


@task.bash(pool="stylizing", map_index_template="{{ batch[0] }} …")
def stylize_batch(batch: list[str]) -> str:
    """Stylize a batch; a retry resumes where it was."""
    names = json.dumps(batch).replace("{", r"\u007b")  # Airflow renders it as a template
    return f"python -m pipeline inbox stylize {shlex.quote(names)}"


@task.bash
def summarize() -> str:
    """Write the manifest; log the videos that were set aside, with their reasons."""
    return "python -m pipeline inbox summarize"


@dag(
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=1),
    tags=["style"],
    params=FORM,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def stylize() -> None:
    """Stylize the new videos of the inbox."""
    # Airflow shows the docstring of a mapped task only if it is given as doc_md.
    mapped = stylize_batch.override(doc_md=stylize_batch.function.__doc__)
    mapped.expand(batch=find()) >> summarize()


stylize()
