"""The `Source` of a clip."""

from dataclasses import dataclass, field
from typing import Any

from audiopipe.inputs import tables


@dataclass(frozen=True, slots=True)
class Source:
    """Location and metadata of one clip.

    Args:
        id: Name of the clip, unique within the input.
        path: The audio file, or the table (a Parquet file or a dataset folder) that contains the audio.
        row: Row in the table that contains the audio. None for an audio file, even if a table lists it.
        metadata: Metadata of the clip by column name.
        start: Where the clip starts in its recording, in seconds. None if the clip is the whole recording.
        end: Where the clip ends in its recording, in seconds. None if it ends where the recording ends.
        column: Column with the audio, in a table for which one was chosen. None finds it by its name or type.
        table: The table that lists the audio file, for the types that it declares. It says nothing about the clip
            itself, so clips that differ in it alone are equal, and it is not stored with them.
    """

    id: str
    path: str
    row: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    start: float | None = None
    end: float | None = None
    column: str | None = None
    table: str | None = field(default=None, compare=False)

    @property
    def is_stretch(self) -> bool:
        """Whether the clip is a stretch of its recording, not the whole recording."""
        return self.start is not None or self.end is not None

    def shares_recording(self, other: "Source | None") -> bool:
        """Returns whether this clip and another one are stretches of the same recording."""
        if other is None or not (self.is_stretch and other.is_stretch):
            return False
        return self.recording() == other.recording()

    def recording(self) -> tuple[str, int | None]:
        """Returns a key that clips of the same recording share: its path, and the row if a table contains the audio."""
        return self.path, self.row

    def location(self) -> dict[str, Any]:
        """Returns the path, the row within a table, and the stretch within a recording, for people to read.

        Example:
            >>> Source("a", "/calls/a.wav", start=2.0, end=3.5).location()
            {'path': '/calls/a.wav', 'start': 2.0, 'end': 3.5}
        """
        facts = {"path": self.path, "row": self.row, "start": self.start, "end": self.end}
        return {name: value for name, value in facts.items() if value is not None}

    def open(self) -> str | bytes:
        """Returns a path or the bytes of an audio file, as a source for `audiopipe.audio.read`.

        Raises:
            AudioError: If the row has no audio.
        """
        if self.row is None:
            return self.path
        return tables.open_table(self.path, self.column).audio(self.row)
