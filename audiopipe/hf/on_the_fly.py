"""Features computed when rows are asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from audiopipe.errors import ArgumentError, AudioError
from audiopipe.hf.mapping import kept_columns, named
from audiopipe.transform.transform import Transform


def with_transform(dataset: Any, transform: Transform, *, keep_columns: Sequence[str] | None = None) -> Any:
    """Compute the feature of a row whenever it is asked for, and store nothing.

    This is `dataset.with_transform(transform)` that takes audio in every form `map` takes, decodes it itself also in a
    column `Audio()`, and keeps the other columns. It suits audio that is augmented, or read once; else `map` computes
    each row once and not in every epoch. A streaming dataset needs no such thing: `map` computes its rows when they
    are asked for.

    Args:
        dataset: A `datasets.Dataset` or `DatasetDict` with a column of audio, as for `map`.
        transform: The transform. Its `audio` names the audio column, its `feature` the new one.
        keep_columns: The columns that stay, the audio among them if it is named. None keeps all but the audio.

    Returns:
        The dataset, whose rows and batches have the kept columns, `feature` and `n_frames`. Its column types are still
        those of what is stored, so `audiopipe.fingerprint_of` knows it not.

    Raises:
        ArgumentError: If there is no such column, or an argument is wrong.
        AudioError: When a row is asked for whose audio cannot be read.

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
            "dataset is computed when it is read anyway: audiopipe.hf.map(dataset, transform)."
        )
    if not isinstance(transform, Transform):
        raise ArgumentError(f"transform must be a Transform. Received: {transform!r}. Make one: Transform(config).")
    kept = kept_columns(dataset.column_names, transform, keep_columns, "raise")
    stored = dataset.with_format(None)
    if isinstance(dataset.features[transform.audio], datasets.Audio):
        stored = stored.cast_column(transform.audio, datasets.Audio(decode=False))
    return stored.with_transform(_OnTheFly(transform, kept))


class _OnTheFly:
    """What makes rows of stored ones; what was removed from the dataset since is not there, and not made."""

    def __init__(self, transform: Transform, kept: list[str]):
        self.transform = transform
        self.kept = kept

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        columns = {name: batch[name] for name in self.kept if name in batch}
        if self.transform.audio not in batch:
            return columns
        values = batch[self.transform.audio]
        features, counts = [], []
        for value, made in zip(values, self.transform.rows(values), strict=True):
            if isinstance(made, tuple):
                features.append(made[0].copy())  # which the caller may change
                counts.append(made[1])
            elif isinstance(made, AudioError):
                raise AudioError(named(made, value), made.stage) from made
            else:
                raise made
        return {**columns, self.transform.feature: features, "n_frames": counts}
