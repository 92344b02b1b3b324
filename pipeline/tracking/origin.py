"""What a registered version was made from: params, DVC's lock and the catalogue of its clips."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from ruamel.yaml import YAML

from pipeline.files import link, parse_yaml, write_text
from pipeline.tracking.lookup import ORIGIN

_DATA = ("snapshot", "download", "subset", "extract")  # the stages that make shards


def collect_origin(
    folder: Path, network: Path, *, params: Path, lock: Path, catalogue: Path
) -> list[Path]:
    """Write to `folder` what `network`, data/train/MODEL/model.keras, was made from.

    In params.yaml stand the values that DVC's stages ran with, whatever was edited since. A
    dvc.lock that knows nothing of this network, because its stage was run by hand, is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = params.read_text(encoding="utf-8")
    stages = _stages(lock, network)
    if stages:
        text = _with_values(text, _values_of(stages))
        link(lock, folder / lock.name)
    if catalogue.is_file():
        link(catalogue, folder / catalogue.name)
    if changes := _uncommitted_code():
        write_text(folder / "uncommitted.diff", changes)
    write_text(folder / "params.yaml", text)
    return sorted(folder.iterdir())


def log_origin(client: MlflowClient, run_id: str, files: Iterable[Path]) -> None:
    """Let the run hold the files."""
    for file in files:
        client.log_artifact(run_id, str(file), ORIGIN)


def _stages(lock: Path, network: Path) -> list[Mapping[str, Any]]:
    """The stages that made the network, as DVC noted them; none if it did not make this one."""
    if not lock.is_file():
        return []
    noted = parse_yaml(lock.read_text(encoding="utf-8")).get("stages", {})
    model = network.parent.name
    outs = noted.get(f"train@{model}", {}).get("outs", [])
    md5 = hashlib.md5(network.read_bytes(), usedforsecurity=False).hexdigest()  # DVC's hash
    if md5 not in {out["md5"] for out in outs}:
        return []
    return [
        noted[name] for name in (*_DATA, f"train@{model}", f"evaluate@{model}") if name in noted
    ]


def _uncommitted_code() -> str:
    """How the code differs from the commit that is checked out; nothing outside a git checkout."""
    if not shutil.which("git"):
        return ""
    command = ["git", "diff", "--binary", "HEAD", "--", "pipeline", "dvc.yaml"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _values_of(stages: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """Values by dotted key."""
    values: dict[str, object] = {}
    for stage in stages:
        values |= stage.get("params", {}).get("params.yaml", {})
    return values


def _with_values(text: str, values: Mapping[str, object]) -> str:
    """The text of params.yaml with each dotted key set; comments stay."""
    yaml = YAML()
    yaml.preserve_quotes = True
    document = yaml.load(text)
    for name, value in values.items():
        *sections, key = name.split(".")
        section = document
        for each in sections:
            section = section[each]
        section[key] = value
    filled = StringIO()
    yaml.dump(document, filled)
    return filled.getvalue()
