"""The `Source` of a clip."""

from dataclasses import dataclass, field
from typing import Any

from audiopipe.inputs import tables


@dataclass(frozen=True, slots=True)
class Source:
    """Location and metadata of one clip.

    Args:
        id: Name of the clip, unique within the input.
        path: The audio file, or the Parquet file or dataset folder that contains it.
        row: Row in the Parquet file or dataset folder. None for an audio file.
        metadata: Metadata of the clip by column name.
    """

    id: str
    path: str
    row: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def location(self) -> dict[str, Any]:
        """Returns the path and, within a table, the row of the audio, for people to read."""
        return {"path": self.path} if self.row is None else {"path": self.path, "row": self.row}

    def open(self) -> str | bytes:
        """Returns a path or the bytes of an audio file, as a source for `audiopipe.audio.read`.

        Raises:
            AudioError: If the row has no audio.
        """
        if self.row is None:
            return self.path
        return tables.open_table(self.path).audio(self.row)
