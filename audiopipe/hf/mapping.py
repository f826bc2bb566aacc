"""Computation of the features of a whole dataset."""

import contextlib
from collections.abc import Sequence
from typing import Any, Literal

import datasets

from audiopipe import checks
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.hf.fork_server import spawned
from audiopipe.hf.types import feature_type
from audiopipe.transform import audio_values
from audiopipe.transform.transform import Transform

BATCH_SIZE = 16
POLICIES = ("raise", "skip", "null")

_IN_MEMORY = (datasets.Dataset, datasets.DatasetDict)
_STREAMING = (datasets.IterableDataset, datasets.IterableDatasetDict)


def map(
    dataset: Any,
    transform: Transform,
    *,
    batch_size: int = BATCH_SIZE,
    keep_columns: Sequence[str] | None = None,
    num_proc: int | None = None,
    on_error: Literal["raise", "skip", "null"] = "raise",
    **kwargs: Any,
) -> Any:
    """Computes the feature of every row.

    Replaces the audio column by the feature and keeps all other columns. Decodes the stored bytes with audiopipe's own
    decoder, not with that of `datasets`, so that the bits agree with the other doors. The result has typed columns and
    is cached like any other map: the same transform over the same dataset is computed only once, even across processes.

    Args:
        dataset: A `datasets.Dataset`, `IterableDataset`, or a dict of them. Its audio column holds `Audio` (with or
            without decoding), paths, bytes, decoded samples with their rate, or arrays at the config's sample rate.
            The rows of a streaming dataset are computed when they are read.
        transform: The transform. Its `audio` is the name of the audio column, its `feature` that of the new column.
        batch_size: Number of rows in memory at once.
        keep_columns: The columns to keep. They may include the audio. None keeps all columns but the audio.
        num_proc: Number of processes. They start from a fork server, see `spawned`, and compute the same bits as one
            process. TensorFlow already uses every processor in one process, so more processes help only if decoding
            takes most of the time.
        on_error: What to do with a row whose audio cannot be read or is shorter than one frame. `"raise"` raises an
            error that names the row and the file. `"skip"` leaves the row out. `"null"` sets its feature to null and
            its `n_frames` to 0, and adds a text column `error`, which is null for all other rows.
        **kwargs: Further arguments of `datasets.Dataset.map`, for example `keep_in_memory` or `load_from_cache_file`.

    Returns:
        The dataset with the columns `feature` and `n_frames`. `feature` is a float32 array, `[frames, bins]` if it has
        one channel, otherwise `[frames, bins, channels]`.

    Raises:
        ArgumentError: If there is no such column, or an argument is wrong.
        AudioError: If `on_error` is `"raise"` and the audio of a row cannot be read or is shorter than one frame.

    Example:
        >>> from audiopipe import hf
        >>> rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "gone.wav"], "label": [3, 4]})
        >>> mapped = hf.map(rows, Transform("speech-mel-80"), on_error="null")
        >>> mapped.features["feature"]
        Array2D(shape=(None, 80), dtype='float32')
        >>> mapped[1]["error"]
        "Could not read 'gone.wav': No such file or directory."
    """
    if not isinstance(dataset, _IN_MEMORY + _STREAMING):
        raise ArgumentError(
            "dataset must be a datasets.Dataset, IterableDataset, DatasetDict or IterableDatasetDict. Received: "
            f"{type(dataset).__name__}."
        )
    batch_size = checks.integer("batch_size", batch_size, minimum=1)
    is_streaming = isinstance(dataset, _STREAMING)
    _check_arguments(transform, keep_columns, num_proc, on_error, is_streaming)
    if isinstance(dataset, dict):
        mapped = {}
        for split, part in dataset.items():
            try:
                mapped[split] = map(
                    part,
                    transform,
                    batch_size=batch_size,
                    keep_columns=keep_columns,
                    num_proc=num_proc,
                    on_error=on_error,
                    **kwargs,
                )
            except AudioError as error:
                raise AudioError(f"Split {split!r}: {error}", error.stage) from error
        return type(dataset)(mapped)

    # A streaming dataset without types has to read its first rows to find its columns.
    features = dataset.features if dataset.features is not None else dataset._resolve_features().features
    kept = kept_columns(list(features), transform, keep_columns, on_error)
    audio_type = features[transform.audio]
    decoding = isinstance(audio_type, datasets.Audio)
    encoded = dataset.with_format(None)  # a format would convert the stored values
    if decoding:
        encoded = encoded.cast_column(transform.audio, datasets.Audio(decode=False))
    types = {name: features[name] for name in kept}
    if decoding and transform.audio in kept:
        types[transform.audio] = datasets.Audio(decode=False)
    types |= {transform.feature: feature_type(transform.config), "n_frames": datasets.Value("int64")}
    if on_error == "null":
        types["error"] = datasets.Value("string")
    if not is_streaming:
        kwargs = {"desc": f"Computing {transform.feature}", "num_proc": num_proc, **kwargs}
    with spawned() if num_proc not in (None, 1) else contextlib.nullcontext():
        mapped = encoded.map(
            _Rows(transform, on_error, writable=is_streaming),
            with_indices=True,
            input_columns=[transform.audio],
            batched=True,
            batch_size=batch_size,
            remove_columns=[name for name in features if name not in kept],
            features=datasets.Features(types),
            **kwargs,
        )
    if not is_streaming and len(dataset) == 0:  # `datasets` does not map an empty dataset and so adds no columns
        nothing: dict[str, list[Any]] = {name: [] for name in types}
        mapped = datasets.Dataset.from_dict(nothing, features=datasets.Features(types), split=dataset.split)
    if on_error == "skip":
        mapped = _without_failures(mapped, is_streaming)
    if decoding and transform.audio in kept:
        mapped = mapped.cast_column(transform.audio, audio_type)
    if not is_streaming:
        return mapped.with_format(dataset.format["type"], **dataset.format["format_kwargs"])
    formatting = dataset._formatting
    return mapped if formatting is None else mapped.with_format(formatting.format_type)


def kept_columns(
    columns: list[str], transform: Transform, keep_columns: Sequence[str] | None, on_error: str
) -> list[str]:
    """Returns the columns to keep, in the order of the dataset.

    Args:
        columns: All columns of the dataset.
        transform: The transform, which names the audio column and the feature column.
        keep_columns: The columns to keep. None keeps all but the audio.
        on_error: As for `map`. `"null"` adds the column `error`.

    Raises:
        ArgumentError: If a column is missing, or has the name of a column that the map adds.
    """
    if transform.audio not in columns:
        raise ArgumentError(
            f"The dataset must have the audio column {transform.audio!r}. Received: {', '.join(columns)}. Name the "
            "column that holds the audio: Transform(..., audio=...)."
        )
    unknown = sorted(set(keep_columns or ()) - set(columns))
    if unknown:
        raise ArgumentError(
            f"keep_columns must name columns of the dataset: {', '.join(columns)}. Also received: {', '.join(unknown)}."
        )
    if keep_columns is None:
        kept = [name for name in columns if name != transform.audio]
    else:
        kept = [name for name in columns if name in keep_columns]
    taken = {transform.feature, "n_frames", *(["error"] if on_error == "null" else [])} & set(kept)
    if taken:
        raise ArgumentError(
            "The dataset must not have columns with the names that the map adds. Received: "
            f"{', '.join(sorted(taken))}. Rename them, leave them out with keep_columns, or give the feature another "
            "name: Transform(..., feature=...)."
        )
    return kept


def named(failure: AudioError, value: Any) -> str:
    """Returns the error message of a failure, with the path of the row's audio if it has one."""
    path, error = audio_values.path_of(value), str(failure)
    return error if path is None or path in error else f"{path!r}: {error}"


class _Rows:
    """Callable for `Dataset.map` over the audio column.

    It pickles to its arguments alone, so `datasets` finds the result in its cache.
    """

    def __init__(self, transform: Transform, on_error: str, *, writable: bool):
        self.transform = transform
        self.on_error = on_error
        self.writable = writable  # users may change rows that are not copied into a table

    def __call__(self, values: Sequence[Any], numbers: Sequence[int]) -> dict[str, list[Any]]:
        features: list[Any] = []
        counts: list[int] = []
        errors: list[str | None] = []
        for number, value, made in zip(numbers, values, self.transform.rows(values), strict=True):
            if isinstance(made, tuple):
                (feature, n_frames), error = made, None
            elif isinstance(made, AudioError):
                feature, n_frames, error = None, 0, named(made, value)
                if self.on_error == "raise":
                    raise AudioError(f"Row {number}: {error}", made.stage) from made
            else:
                raise ArgumentError(f"Row {number}: {made}") from made
            features.append(feature.copy() if self.writable and feature is not None else feature)
            counts.append(n_frames)
            errors.append(error)
        columns: dict[str, list[Any]] = {self.transform.feature: features, "n_frames": counts}
        return {**columns, "error": errors} if self.on_error == "null" else columns


def _without_failures(mapped: Any, is_streaming: bool) -> Any:
    """Leaves out the rows without frames. Every row with a feature has at least one frame."""
    if is_streaming:
        return mapped.filter(_has_frames, input_columns=["n_frames"])
    counts = mapped.with_format("numpy")["n_frames"][:]
    return mapped if (counts > 0).all() else mapped.select(counts.nonzero()[0])


def _has_frames(n_frames: int) -> bool:
    return n_frames > 0


def _check_arguments(transform: Any, keep_columns: Any, num_proc: Any, on_error: Any, is_streaming: bool) -> None:
    if not isinstance(transform, Transform):
        raise ArgumentError(f"transform must be a Transform. Received: {transform!r}. Make one: Transform(config).")
    if on_error not in POLICIES:
        raise ArgumentError(f"on_error must be one of {', '.join(POLICIES)}. Received: on_error={on_error!r}.")
    if isinstance(keep_columns, str):
        raise ArgumentError(f"keep_columns must be a list of names. Received: keep_columns={keep_columns!r}.")
    if num_proc is not None and (isinstance(num_proc, bool) or not isinstance(num_proc, int) or num_proc < 1):
        raise ArgumentError(f"num_proc must be at least 1, or None. Received: num_proc={num_proc!r}.")
    if is_streaming and num_proc not in (None, 1):
        raise ArgumentError(
            "num_proc must be None or 1 for a streaming dataset, which is computed where it is read, in one process. "
            f"Received: num_proc={num_proc}. Leave num_proc out."
        )
