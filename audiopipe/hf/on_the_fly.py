"""Computation of features when rows are read."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from audiopipe.errors import ArgumentError, AudioError
from audiopipe.hf.added_columns import check_names, kept_columns
from audiopipe.hf.count_columns import counted_beside
from audiopipe.hf.row_callable import named
from audiopipe.transform.row_columns import RowColumns, count_columns
from audiopipe.transform.transform import Transform


def with_transform(dataset: Any, transform: Transform, *, keep_columns: Sequence[str] | None = None) -> Any:
    """Computes the feature of a row each time the row is read, and stores nothing.

    Use it for audio that is augmented or read only once. Otherwise, `map` is faster, because it computes each row once
    and not in every epoch. For a streaming dataset, use `map`, which computes its rows when they are read.

    Unlike `dataset.with_transform(transform)`, this function takes audio in every form that `map` takes, decodes a
    column of `Audio()` with audiopipe's own decoder, and keeps the other columns. Remarks about the audio, such as a
    missing end, are warnings of class `audiopipe.errors.AudioRemark`. `Transform(..., accept_truncated=True)` reads
    truncated files.

    Args:
        dataset: A `datasets.Dataset` or `DatasetDict` with an audio column, as for `map`.
        transform: The transform. Its `audio` is the name of the audio column, its `feature` that of the new column.
        keep_columns: The columns to keep. They may include the audio. None keeps all columns but the audio.

    Returns:
        The dataset. Its rows and batches have the kept columns, `feature`, `n_frames` and, if the config pads clips,
        `valid_frames`, named as for `map`. The column types still describe the stored columns, so
        `audiopipe.fingerprint_of` does not find the feature.

    Raises:
        ArgumentError: If there is no such column, or an argument is wrong.
        AudioError: When a row is read, if its audio cannot be decoded or is shorter than one frame.

    Example:
        >>> from audiopipe import hf
        >>> rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac"], "label": [3]})
        >>> row = hf.with_transform(rows, Transform("speech-mel-80"))[0]
        >>> row["label"], row["feature"].shape, row["n_frames"]
        (3, (349, 80), 349)
    """
    if isinstance(dataset, datasets.DatasetDict):
        return datasets.DatasetDict(
            {split: with_transform(part, transform, keep_columns=keep_columns) for split, part in dataset.items()}
        )
    if not isinstance(dataset, datasets.Dataset):
        raise ArgumentError(
            f"dataset must be a datasets.Dataset or DatasetDict. Received: {type(dataset).__name__}. A streaming "
            "dataset needs audiopipe.hf.map(dataset, transform), which computes its rows when they are read."
        )
    if not isinstance(transform, Transform):
        raise ArgumentError(f"transform must be a Transform. Received: {transform!r}. Make one: Transform(config).")
    kept = kept_columns(dataset.column_names, transform, keep_columns)
    beside = counted_beside({name: dataset.features[name] for name in kept}, transform.feature, transform.config)
    counts = count_columns(transform.config, beside)
    check_names(transform.feature, counts, kept)
    stored = dataset.with_format(None)
    if isinstance(dataset.features[transform.audio], datasets.Audio):
        stored = stored.cast_column(transform.audio, datasets.Audio(decode=False))
    return stored.with_transform(_OnTheFly(transform, kept, counts))


class _OnTheFly:
    """Callable for `Dataset.with_transform`.

    A batch may lack columns that were removed from the dataset later. Without the audio there is no feature.
    """

    def __init__(self, transform: Transform, kept: list[str], counts: list[str]):
        self.transform = transform
        self.kept = kept
        self.counts = counts

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        columns = {name: batch[name] for name in self.kept if name in batch}
        if self.transform.audio not in batch:
            return columns
        values = batch[self.transform.audio]
        rows = RowColumns(self.transform.feature, self.counts, writable=True)
        for value, made in zip(values, self.transform.rows(values), strict=True):
            if isinstance(made, tuple):
                rows.add(made)
            elif isinstance(made, AudioError):
                raise AudioError(named(made, value), made.stage) from made
            else:
                raise made
        return {**columns, **rows.columns}
