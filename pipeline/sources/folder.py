"""Clips in a folder, read in place."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.dataset.clips import Classes, Clip, demand_one_file_per_id
from pipeline.dataset.names import path_text, visible_files
from pipeline.sources.layout import Member, chosen_members


@dataclass(frozen=True)
class FolderSource:
    """A folder of videos."""

    root: Path
    classes: Classes = None
    key = "folder"

    def listing(self) -> dict[str, object]:
        """The chosen classes' files with their sizes and times of change."""
        marks = {
            path_text(clip.path): [clip.size, clip.path.stat().st_mtime_ns]
            for clip in self._clips()
        }
        return {"source": path_text(self.root), "clips": marks}

    def fetch(self, folder: Path) -> list[Clip]:
        """The clips where they are."""
        return self._clips()

    def _clips(self) -> list[Clip]:
        paths = (PurePosixPath(path.relative_to(self.root)) for path in visible_files(self.root))
        source = f"the folder {path_text(self.root)}"
        members = chosen_members(paths, classes=self.classes, source=source)
        clips = [self._clip(member) for member in members]
        demand_one_file_per_id(clips)
        return clips

    def _clip(self, member: Member) -> Clip:
        path = self.root / member.path
        return Clip(member.class_name, member.name, path, path.stat().st_size, member.split)
