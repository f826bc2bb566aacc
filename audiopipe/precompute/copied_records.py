"""Records that are copied from older shards, because the audio of their clips has not changed."""

import contextlib
from typing import BinaryIO

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import tfrecords
from audiopipe.precompute.planned_clips import Stored
from audiopipe.storage import files


class OlderShards:
    """Reads records from the older shards of a folder. A context manager.

    The last shard stays open, because neighbouring clips usually are in one shard.

    Args:
        folder: Folder of the feature set.
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._name = ""
        self._file: BinaryIO | None = None

    def __enter__(self) -> "OlderShards":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, stored: Stored) -> list[bytes] | None:
        """Returns the records of a clip, or None if one of them is missing or damaged."""
        with contextlib.suppress(CorruptFeatureSetError, OSError):
            file = self._open(stored.shard)
            records = []
            for offset, size, _ in stored.records:
                file.seek(offset)
                records.append(tfrecords.parse(file.read(tfrecords.FRAME_BYTES + size)))
            return records
        return None

    def _open(self, name: str) -> BinaryIO:
        if self._file is None or name != self._name:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._file, self._name = files.open_binary(files.join(self._folder, name)), name
        return self._file
