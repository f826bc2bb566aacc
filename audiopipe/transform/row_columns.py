"""Columns that rows of `datasets` get from a transform."""

from typing import Any

from audiopipe.configs.base import Config
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES
from audiopipe.transform.row_features import Made


def count_columns(config: Config) -> list[str]:
    """Returns the names of the columns with numbers of frames: `n_frames`, and `valid_frames` if clips are padded."""
    return [N_FRAMES, VALID_FRAMES] if config.pads_clips else [N_FRAMES]


class RowColumns:
    """Collects the features of rows.

    Args:
        config: Config of the feature.
        feature: Name of the feature column.
        writable: Whether the caller may change the arrays, which are then copied.

    Attributes:
        columns: The columns, with one value for each row.

    Example:
        >>> from audiopipe import registry
        >>> rows = RowColumns(registry.get("whisper-80"), "feature", writable=False)
        >>> rows.add(None)
        >>> rows.columns
        {'feature': [None], 'n_frames': [0], 'valid_frames': [0]}
    """

    def __init__(self, config: Config, feature: str, *, writable: bool):
        self.columns: dict[str, list[Any]] = {name: [] for name in (feature, *count_columns(config))}
        self._writable = writable

    def add(self, made: Made | None) -> None:
        """Adds a row from `Transform.rows`. None is a row without a feature, whose numbers of frames are 0."""
        feature = None if made is None else made[0]
        counts = [0] * (len(self.columns) - 1) if made is None else made[1:]
        copied = feature.copy() if self._writable and feature is not None else feature
        for column, value in zip(self.columns.values(), (copied, *counts), strict=True):
            column.append(value)
