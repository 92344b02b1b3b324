"""A zip on a server that answers ranges: only the members that are wanted travel.

Not remotezip: it neither repeats a request that was cut off or stalled, nor notices that the file
changed in between, and reads one member at a time.
"""

import copy
import io
import zipfile
from functools import partial
from itertools import pairwise
from typing import IO, Any

from pipeline.sources.remote import Client, MirrorError, Remote, RemoteFile, retried

BUFFER = 1 << 20


class RemoteZip(zipfile.ZipFile):
    """A zip file on a server; members can be read from several threads, by one request each."""

    def __init__(self, client: Client, remote: Remote) -> None:
        self._read = partial(client.read, remote)
        file = RemoteFile(lambda *part: retried(lambda: self._read(*part)), remote.size or 0)
        try:
            super().__init__(io.BufferedReader(file, BUFFER))
        except zipfile.BadZipFile as error:
            raise MirrorError(f"not a whole zip file: {error}") from error
        self.filename = remote.url
        starts = sorted(info.header_offset for info in self.infolist())
        self._ends = dict(pairwise([*starts, self.start_dir]))

    def open(self, name: Any, *args: Any, **options: Any) -> IO[bytes]:
        """Open a member, of which the first read fetches all."""
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        end = self._ends[info.header_offset]
        alone = copy.copy(self)
        alone.fp = io.BufferedReader(RemoteFile(self._read, end), end - info.header_offset)
        return zipfile.ZipFile.open(alone, info, *args, **options)
