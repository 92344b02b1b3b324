"""`python -m pipeline COMMAND`: every stage, and what people call by hand."""

import argparse
import importlib
import logging
import sys
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.files import FULL
from pipeline.params import load_params

STAGES = {
    "snapshot": "list what the source holds",
    "download": "bring the clips here",
    "subset": "check, catalogue and split the clips",
    "extract": "decode clips into shards of frames and flow",
    "train": "train one model of params.yaml",
    "evaluate": "judge one trained model on the test split",
    "explore": "look at the clips: figures, numbers and a report",
    "compare": "put all models into one table",
    "style": "train one network that paints, of params.yaml",
    "gallery": "paint test clips by every method, and judge them",
}
COMMANDS = {
    "stylize": "repaint a video, a picture or a folder of them in the style of a picture",
    "track": "bring MLflow up to date with what is on disk",
    "promote": "let the best model challenge the champion in MLflow",
    "inspect": "print what is in a shard, and show a clip as a picture",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 after an error that people can mend."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    room = "stages" if options.command in STAGES else "commands"
    command = importlib.import_module(f"pipeline.{room}.{options.command}")
    given = {key: value for key, value in vars(options).items() if key != "command"}
    try:
        command.run(load_params(Path("params.yaml")), **given)
    except PipelineError as error:
        logging.error("%s", error)  # noqa: TRY400 - these errors explain themselves
        return 1
    except OSError as error:
        if error.errno not in FULL:
            raise
        logging.error("the disk is full (%s); make room, run again: what is whole is kept", error)  # noqa: TRY400
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in (STAGES | COMMANDS).items():
        command = commands.add_parser(name, help=help_text)
        if name in ("train", "evaluate"):
            command.add_argument("model", help="its name in the section models of params.yaml")
        if name == "style":
            command.add_argument("style", help="its name in the section styles of params.yaml")
        if name == "stylize":
            command.add_argument("source", type=Path, metavar="IN", help="video, picture or folder")
            command.add_argument("target", type=Path, metavar="OUT", help="file, or folder for one")
            command.add_argument(
                "--method",
                choices=["nst", "fast", "cyclegan"],
                default="nst",
                help="optimize every frame, or use the network that is trained for the style",
            )
            command.add_argument(
                "--style",
                type=Path,
                required=True,
                help="a picture; or a network: a row of params.yaml, a .keras file, models:/NAME",
            )
            command.add_argument("--preview", action="store_true", help="only the first 3 seconds")
        if name == "inspect":
            command.add_argument("shard", type=Path, help="a .tfrecord or .parquet file")
            command.add_argument("--clip", help="CLASS/NAME; unset: the first of the shard")
            command.add_argument("--picture", type=Path, help="where to draw it: .png, .jpg, .gif")
    return parser


if __name__ == "__main__":
    sys.exit(main())
