"""Where the audio of one clip is."""

from dataclasses import dataclass, field
from typing import Any

from audiopipe.inputs import tables


@dataclass(frozen=True, slots=True)
class Source:
    """Where the audio of one clip stands.

    Args:
        id: The clip's name, unique within the input.
        path: The audio file, or the Parquet file or dataset folder that holds it.
        row: The row within a Parquet file or dataset folder, else None.
        metadata: What else is known of the clip, by column.
    """

    id: str
    path: str
    row: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def location(self) -> dict[str, Any]:
        """Where the audio stands, for people: its path and, within a table, its row."""
        return {"path": self.path} if self.row is None else {"path": self.path, "row": self.row}

    def open(self) -> str | bytes:
        """What `audiopipe.audio.read` takes: a path, or the bytes of an audio file.

        Raises:
            AudioError: If the row holds no audio.
        """
        if self.row is None:
            return self.path
        return tables.open_table(self.path).audio(self.row)
