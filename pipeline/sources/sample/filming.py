"""Drawn scenes as AVI files: in parallel, each file whole or not there at all."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from pipeline.errors import SourceError
from pipeline.files import progress_bar
from pipeline.sources.sample.drawing import FPS, HEIGHT, WIDTH, Scene, scene_of
from pipeline.video.pool import process_pool


def film(clips: Sequence[str], folder: Path, *, workers: int) -> None:
    """Write those of the clips (`CLASS/v_CLASS_g01_c01`) that are not yet at `folder/CLIP.avi`."""
    missing = _missing(clips, folder)
    if not missing:
        return
    for class_name in {clip.split("/")[0] for clip in clips}:
        (folder / class_name).mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in folder.glob(".filming-*"):
        shutil.rmtree(left_by_a_killed_run, ignore_errors=True)
    with TemporaryDirectory(prefix=".filming-", dir=folder) as aside:
        _film_all(missing, Path(aside), workers)


def film_group(clips: dict[str, Path], aside: Path) -> int:
    """Film the clips of one group (id: path) and give them their names once whole; their count."""
    for clip, path in clips.items():
        partial = aside / path.name
        write_video(partial, scene_of(clip))
        partial.replace(path)
    return len(clips)


def write_video(path: Path, clip: Scene) -> None:
    """Write a scene as an XVID-coded AVI file, as UCF101 has them; SourceError if that fails."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), FPS, (WIDTH, HEIGHT))
    for index in range(len(clip)):
        writer.write(clip.frame(index))
    writer.release()
    if not is_whole(path):
        raise SourceError(
            f"{path} could not be written whole; look for free space and the right to write there"
        )


def is_whole(path: Path) -> bool:
    """Whether there is an AVI file as long as its header says, which is written last."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:], "little") + 8 == path.stat().st_size


def _missing(clips: Sequence[str], folder: Path) -> list[dict[str, Path]]:
    """Collect the clips to film (id: path) by group, so that a background is drawn once."""
    groups: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for clip in clips:
        path = folder / f"{clip}.avi"
        if not is_whole(path):
            groups[clip.rpartition("_")[0]][clip] = path
    return list(groups.values())


def _film_all(groups: list[dict[str, Path]], aside: Path, workers: int) -> None:
    with (
        process_pool(workers) as pool,
        progress_bar(total=sum(map(len, groups)), desc="Drawing the sample", unit="clip") as bar,
    ):
        for filmed in pool.map(film_group, groups, [aside] * len(groups)):
            bar.update(filmed)
