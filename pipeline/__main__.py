"""`python -m pipeline COMMAND`: every stage, and every command that people and DAGs call."""

import importlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline.errors import ParamsError, PipelineError
from pipeline.files import DiskFullError, is_disk_full
from pipeline.params import load_params
from pipeline.paths import RESULTS

INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended

log = logging.getLogger(__name__)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which video architecture suits your clips? Stages, commands, and what DAGs run.",
)
_state = {"verbose": False}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 after an error that people can mend."""
    try:
        status = app(arguments, prog_name="python -m pipeline", standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        log.error("interrupted; what is whole is kept")  # noqa: TRY400
        return INTERRUPTED
    except Exception as error:
        if _is_usage_error(error):
            error.show()  # type: ignore[attr-defined]
            return 2
        if not (message := _message(error)):
            raise
        log.error("%s", message)  # noqa: TRY400 - these errors explain themselves
        return 1
    return status or 0


def _message(error: Exception) -> str:
    """What people read of an error that they can mend; of any other, nothing."""
    if is_disk_full(error) and not isinstance(error, DiskFullError):
        return f"the disk is full ({error}); make room, run again: what is whole is kept"
    return str(error) if isinstance(error, PipelineError) else ""


def _is_usage_error(error: Exception) -> bool:
    """Whether it is click's or typer's own: wrong arguments, not our failure."""
    return hasattr(error, "show") and hasattr(error, "exit_code")


@app.callback()
def _settings(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show what TensorFlow and CUDA log, too.")
    ] = False,
) -> None:
    _state["verbose"] = verbose
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if verbose else "3")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")


def _run(module: str, **given: Any) -> Any:
    """What `run` of the module makes of params.yaml and the arguments."""
    if module.startswith("stages."):
        _require_folders_that_dvc_can_track()
    with _native_noise_held_back():
        run = importlib.import_module(f"pipeline.{module}").run
        return run(load_params(Path("params.yaml")), **given)


def _require_folders_that_dvc_can_track() -> None:
    for folder in (Path("data"), RESULTS):
        if folder.is_symlink():
            raise ParamsError(
                f"{folder} is a link to {folder.resolve()}, and DVC tracks nothing behind a link; "
                "remove it and put DVC's cache on that disk: docs/real-data.md, 'A larger disk'"
            )


@contextmanager
def _native_noise_held_back() -> Iterator[None]:
    """Hold back what TensorFlow, CUDA and FFmpeg write past Python, but for a bug."""
    if _state["verbose"]:
        yield
        return
    original = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except (PipelineError, KeyboardInterrupt):
            raise
        except BaseException:
            noise.seek(0)
            os.write(original, noise.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def _observer() -> Callable[..., Any]:
    """What shows a training in MLflow while it runs."""
    from pipeline.tracking.address import tracking_uri
    from pipeline.tracking.live import LiveRun

    return partial(LiveRun, tracking_uri=tracking_uri())


_STAGES, _COMMANDS, _ORCHESTRATION = "Stages of dvc.yaml", "Commands", "Run by the DAGs"
_ModelName = Annotated[str, typer.Argument(help="its name in the section models of params.yaml")]


@app.command(rich_help_panel=_STAGES)
def snapshot() -> None:
    """List what the source holds."""
    _run("stages.snapshot")


@app.command(rich_help_panel=_STAGES)
def download() -> None:
    """Bring the clips here."""
    _run("stages.download")


@app.command(rich_help_panel=_STAGES)
def subset() -> None:
    """Check, catalogue and split the clips."""
    _run("stages.subset")


@app.command(rich_help_panel=_STAGES)
def extract() -> None:
    """Decode clips into shards of frames and flow."""
    _run("stages.extract")


@app.command(rich_help_panel=_STAGES)
def explore() -> None:
    """Describe the clips: figures, numbers and a report."""
    _run("stages.explore")


@app.command(rich_help_panel=_STAGES)
def train(model: _ModelName) -> None:
    """Train one model."""
    _run("stages.train", model=model, observe=_observer())


@app.command(rich_help_panel=_STAGES)
def evaluate(model: _ModelName) -> None:
    """Evaluate one trained model on the test split."""
    _run("stages.evaluate", model=model)


@app.command(rich_help_panel=_STAGES)
def export(model: _ModelName) -> None:
    """Turn one trained model into a bundle for inference."""
    _run("stages.export", model=model)


@app.command(rich_help_panel=_STAGES)
def features() -> None:
    """Choose the network whose feature maps the perceptual losses compare."""
    _run("stages.features")


@app.command(rich_help_panel=_STAGES)
def style(
    style: Annotated[str, typer.Argument(help="its name in the section styles of params.yaml")],
) -> None:
    """Train one style network."""
    _run("stages.style", style=style, observe=_observer())


@app.command(rich_help_panel=_STAGES)
def gallery() -> None:
    """Stylize test clips by every method, and compare them."""
    _run("stages.gallery")


@app.command(rich_help_panel=_STAGES)
def compare() -> None:
    """Put all models into one table and one report."""
    _run("stages.compare")


@app.command(rich_help_panel=_COMMANDS)
def classify(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="videos, folders or http addresses")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="a row of params.yaml, a bundle's folder or models:/NAME@ALIAS; given twice, "
            "both are averaged; default: the champion"
        ),
    ] = None,
    form: Annotated[
        Literal["float32", "float16", "int8"], typer.Option(help="which file of the bundle")
    ] = "float32",
    json_lines: Annotated[bool, typer.Option("--json", help="one document per video")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="one row per video and window")] = False,
    coverage: Annotated[
        float | None,
        typer.Option(help="add the set of classes that holds the true one this often: 0.9"),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="write it with captions: a .mp4; of several, a folder")
    ] = None,
) -> None:
    """Say what videos show: their class, how sure that is, or none of these."""
    if json_lines and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    output = "json" if json_lines else "csv" if csv else "table"
    given = {"inputs": inputs, "model": model or (), "form": form, "output": output}
    _run("commands.classify", coverage=coverage, video=video, **given)


@app.command(rich_help_panel=_COMMANDS)
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="video, picture or folder")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="file; of a folder, a folder")],
    style: Annotated[
        Path,
        typer.Option(help="a picture; or a network: a row of params.yaml, a .keras, models:/NAME"),
    ],
    method: Annotated[
        Literal["nst", "fast", "cyclegan"],
        typer.Option(help="optimize every frame, or use the network trained for the style"),
    ] = "nst",
    preview: Annotated[bool, typer.Option("--preview", help="only the first 3 seconds")] = False,
) -> None:
    """Restyle a video, a picture or a folder of them."""
    given = {"source": source, "target": target, "style": style}
    _run("commands.stylize", method=method, preview=preview, **given)


@app.command(rich_help_panel=_COMMANDS)
def inspect(
    shard: Annotated[Path, typer.Argument(help="a .tfrecord or .parquet file")],
    clip: Annotated[str | None, typer.Option(help="CLASS/NAME; default: the first")] = None,
    picture: Annotated[Path | None, typer.Option(help="where to draw it: .png, .jpg, .gif")] = None,
) -> None:
    """Print what is in a shard, and show a clip as a picture."""
    _run("commands.inspect", shard=shard, clip=clip, picture=picture)


@app.command(rich_help_panel=_COMMANDS)
def track() -> None:
    """Bring MLflow up to date with the models on disk."""
    _run("commands.track")


@app.command(rich_help_panel=_COMMANDS)
def promote() -> None:
    """Let the best model challenge the champion in MLflow."""
    _run("commands.promote")


@app.command(rich_help_panel=_COMMANDS)
def rollback() -> None:
    """Give the alias champion back to the champion before the present one."""
    _run("commands.rollback")


@app.command(rich_help_panel=_COMMANDS)
def models(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document per line")] = False,
) -> None:
    """List the registered versions: what made them, where they stand, how they did."""
    _run("commands.models", as_json=as_json)


@app.command(rich_help_panel=_COMMANDS)
def dependencies() -> None:
    """Rewrite the code that each stage of dvc.yaml depends on, from the imports."""
    _run("commands.dependencies")


@app.command(rich_help_panel=_ORCHESTRATION)
def worktree(
    action: Literal["make", "stage", "promote", "publish"],
    tree: Path,
    name: Annotated[str, typer.Argument(help="the stage to run")] = "",
) -> int:
    """Make a run's work tree, run a stage in it, promote its model, or publish its branch.

    `make` reads the run's values from $PARAMS: {"dataset.split": 2}.
    """
    from pipeline.orchestration.worktree import run

    return run(action, tree, name, json.loads(os.environ.get("PARAMS", "{}")))


@app.command(rich_help_panel=_ORCHESTRATION)
def inbox(
    action: Literal["find", "stylize", "summarize"],
    names: Annotated[str, typer.Argument(help="the videos of a batch, as a JSON list")] = "[]",
) -> int:
    """Find the new videos of an inbox, stylize a batch of them, or sum up; $PARAMS is the form."""
    from pipeline.orchestration.inbox import run

    return run(action, json.loads(names), json.loads(os.environ["PARAMS"]))


@app.command(rich_help_panel=_ORCHESTRATION)
def maintain() -> None:
    """Delete old runs' work trees, branches and data; docs/operations.md says what stays."""
    from pipeline.orchestration.maintenance import run

    run()


@app.command(rich_help_panel=_ORCHESTRATION)
def arrivals() -> int:
    """Exit with 0 if clips have arrived in the folder of params.yaml, with 99 if not."""
    from pipeline.orchestration.arrivals import run

    return run(load_params(Path("params.yaml")))


if __name__ == "__main__":
    # A stream of Python's own: what is logged stays visible while native noise is held back.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    sys.exit(main())
