"""Clips in a folder of class folders, read in place."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.clips import Classes, Clip, choose_classes, demand_one_file_an_id, is_video

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderSource:
    """A folder with one folder a class and any videos inside."""

    root: Path
    classes: Classes = None
    key = "folder"

    def listing(self) -> dict[str, object]:
        """The chosen classes' files with their sizes and times of change."""
        clips = self._clips()
        marks = {str(clip.path): [clip.size, clip.path.stat().st_mtime_ns] for clip in clips}
        return {"source": str(self.root), "clips": marks}

    def fetch(self, folder: Path) -> list[Clip]:
        """The clips where they are."""
        return self._clips()

    def _clips(self) -> list[Clip]:
        files = {path.name: _videos(path) for path in _visible(self.root) if path.is_dir()}
        held = [name for name, videos in files.items() if videos]
        chosen = choose_classes(self.classes, held=held, source=f"the folder {self.root}")
        clips = [Clip(name, path, path.stat().st_size) for name in chosen for path in files[name]]
        demand_one_file_an_id(clips)
        return clips


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _videos(folder: Path) -> list[Path]:
    files = [path for path in _visible(folder) if path.is_file()]
    others = [path.name for path in files if not is_video(path.name)]
    if others:
        log.info("%s: %d files are no videos by their names: %s", folder, len(others), others[:5])
    return [path for path in files if is_video(path.name)]
