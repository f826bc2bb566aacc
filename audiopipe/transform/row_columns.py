"""Columns that rows of `datasets` get from a transform."""

from collections.abc import Sequence
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES
from audiopipe.transform.row_features import Made


def count_columns(config: Config, beside: str | None = None) -> list[str]:
    """Returns the names of the columns with numbers of frames: `n_frames`, and `valid_frames` if clips are padded.

    Args:
        config: Config of the feature.
        beside: Name of the feature column, if the rows already have the numbers of frames of another feature. It
            becomes part of the names.

    Example:
        >>> from audiopipe import registry
        >>> whisper = registry.get("whisper-80")
        >>> count_columns(whisper), count_columns(whisper, beside="whisper")
        (['n_frames', 'valid_frames'], ['whisper_n_frames', 'whisper_valid_frames'])
    """
    names = [N_FRAMES, VALID_FRAMES] if config.pads_clips else [N_FRAMES]
    return names if beside is None else [f"{beside}_{name}" for name in names]


class RowColumns:
    """Collects the features of rows.

    Args:
        feature: Name of the feature column.
        counts: Names of the columns with numbers of frames, see `count_columns`.
        writable: Whether the caller may change the arrays, which are then copied.

    Attributes:
        columns: The columns, with one value for each row.

    Example:
        >>> rows = RowColumns("feature", ["n_frames", "valid_frames"], writable=False)
        >>> rows.add(None)
        >>> rows.columns
        {'feature': [None], 'n_frames': [0], 'valid_frames': [0]}
    """

    def __init__(self, feature: str, counts: Sequence[str], *, writable: bool):
        self.columns: dict[str, list[Any]] = {name: [] for name in (feature, *counts)}
        self._writable = writable

    def add(self, made: Made | None) -> None:
        """Adds a row from `Transform.rows`. None is a row without a feature, whose numbers of frames are 0."""
        feature = None if made is None else made[0]
        counts = [0] * (len(self.columns) - 1) if made is None else made[1:]
        copied = feature.copy() if self._writable and feature is not None else feature
        for column, value in zip(self.columns.values(), (copied, *counts), strict=True):
            column.append(value)
