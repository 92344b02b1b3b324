"""Where clips come from: drawn here, downloaded, or a path. After this, all is the same code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.dataset.clips import Classes, Clip, UnreachableError, choose_classes
from pipeline.dataset.names import find_path
from pipeline.sources.folder import FolderSource
from pipeline.sources.sample import sample

if TYPE_CHECKING:
    from pipeline.params import Dataset, Machine


class Source(Protocol):
    """What clips can be had, and how."""

    @property
    def key(self) -> str:
        """The name of the folder of finished pieces: another one when they cannot be used."""

    def listing(self) -> dict[str, object]:
        """What it holds now, as JSON; an UnreachableError if it cannot be asked."""

    def fetch(self, folder: Path) -> list[Clip]:
        """Make every chosen clip whole, in `folder` unless the source is read in place."""


def open_source(dataset: Dataset, machine: Machine) -> Source:
    """The source that `dataset.source` means."""
    if dataset.source == "sample":
        return SampleSource(dataset.classes, workers=machine.workers)
    # Imported where they are needed: `snapshot` runs every time, and must start fast.
    if dataset.source == "ucf101":
        from pipeline.sources.ucf101 import Ucf101Source

        return Ucf101Source(machine.mirrors, machine.timeout, dataset.classes)
    path = find_path(Path(dataset.source).expanduser())
    if path.is_dir():
        return FolderSource(path, dataset.classes)
    if path.is_file():
        from pipeline.sources.archive import ArchiveSource

        return ArchiveSource(path, dataset.classes)
    raise UnreachableError(
        f"dataset.source is {dataset.source}: there is no file or folder {path.absolute()}; give "
        "sample, ucf101 or the path of a folder, zip or rar with one folder per class (an absolute "
        "path for `dvc exp run --queue` and `--temp`, which run in a copy of the project)"
    )


@dataclass(frozen=True)
class SampleSource:
    """The data set that the project draws itself."""

    classes: Classes = None
    workers: int | None = None
    key = f"sample-{sample.DRAWING_VERSION}"

    def listing(self) -> dict[str, object]:
        """The clips' ids, and what they are drawn by."""
        clips = sample.sample_clips(self._classes)
        return {"source": "sample", "drawing": sample.DRAWING_VERSION, "clips": clips}

    def fetch(self, folder: Path) -> list[Clip]:
        """Draw what is not there yet."""
        sample.draw_sample(
            folder, classes=self._classes, workers=self.workers or os.cpu_count() or 1
        )
        paths = [folder / f"{clip}.avi" for clip in sample.sample_clips(self._classes)]
        return [Clip(path.parent.name, path.stem, path, path.stat().st_size) for path in paths]

    @property
    def _classes(self) -> list[str]:
        return choose_classes(self.classes, held=sample.CLASSES, source="the sample data set")
