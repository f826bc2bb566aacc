"""Computation of the features of a whole dataset."""

import contextlib
import copy
from collections.abc import Collection, Sequence
from typing import Any, Literal

import datasets

from audiopipe import checks
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.feature_sets import row_digests
from audiopipe.hf import cache_keys, local_files, row_callable
from audiopipe.hf.fork_server import spawned
from audiopipe.hf.row_callable import RowCallable
from audiopipe.hf.types import count_types, digest_type, feature_type
from audiopipe.transform.row_columns import count_columns
from audiopipe.transform.transform import Transform

BATCH_SIZE = 16
POLICIES = ("raise", "skip", "null")
ERROR = "error"  # column with the errors of rows
REMARK = "remark"  # column with the remarks about rows

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
    accept_truncated: bool = False,
    remarks: bool = False,
    **kwargs: Any,
) -> Any:
    """Computes the feature of every row.

    Replaces the audio column by the feature and keeps all other columns. Decodes the stored bytes with audiopipe's own
    decoder, not with that of `datasets`, so that the bits agree with the other doors. The result has typed columns and
    is cached like any other map: the same transform over the same dataset is computed only once, even across processes.

    For rows with local paths, the cache depends on the size, the modification time and the permissions of each file, so
    a dataset is computed anew if one of its files was replaced or fixed, appeared or vanished. This takes a third of a
    second per 100,000 files on a local disk. It cannot be done for remote paths, and it is not done by
    `dataset.map(transform)`. If a file behind a remote path has changed, use `load_from_cache_file=False`.

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
            error that names the row and the file. `"skip"` leaves the row out and warns how many rows were left out; a
            streaming dataset warns about each row when it is read. `"null"` sets its feature to null and its `n_frames`
            to 0, and adds a text column `error`, which is null for all other rows.
        accept_truncated: Whether to read what is there of a damaged or truncated file, with a remark, instead of
            treating it as an error. `Transform(..., accept_truncated=True)` has the same effect.
        remarks: Whether to add a text column `remark` with what was noticed about audio that was read all the same,
            such as a missing end. It is null for rows without remarks, and several remarks are joined by `"; "`. If
            False, the remarks become warnings that name the row and the file, in this process and also if the result
            comes from the cache. Their class is `audiopipe.errors.AudioRemark`, as for rows that are left out.
        **kwargs: Further arguments of `datasets.Dataset.map`, for example `keep_in_memory` or `load_from_cache_file`.
            A file named by `cache_file_name`, or found by `new_fingerprint`, is used only if the same transform
            computed it from the same state of the local files.

    Returns:
        The dataset with the columns `feature`, `n_frames` and `feature_digest`. `feature` is a float32 array,
        `[frames, bins]` if it has one channel, otherwise `[frames, bins, channels]`. `feature_digest` is a text by
        which readers find out whether the values of the row were changed; it is null for a row without a feature. If
        the config pads or cuts clips, as that of Whisper does, the column `valid_frames` has the number of frames that
        hold audio, and a clip that is cut gets a remark.

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
    if checks.boolean("accept_truncated", accept_truncated) and not transform.accept_truncated:
        transform = copy.copy(transform)
        transform.accept_truncated = True
    settings: dict[str, Any] = {
        "batch_size": batch_size,
        "keep_columns": keep_columns,
        "num_proc": num_proc,
        "on_error": on_error,
        "remarks": checks.boolean("remarks", remarks),
    }
    if not isinstance(dataset, dict):
        return _map(dataset, transform, "", kwargs, **settings)
    mapped = {}
    for split, part in dataset.items():
        try:
            mapped[split] = _map(part, transform, f"Split {split!r}: ", kwargs, **settings)
        except AudioError as error:
            raise AudioError(f"Split {split!r}: {error}", error.stage) from error
    return type(dataset)(mapped)


def _map(
    dataset: Any,
    transform: Transform,
    where: str,
    kwargs: dict[str, Any],
    *,
    batch_size: int,
    keep_columns: Sequence[str] | None,
    num_proc: int | None,
    on_error: str,
    remarks: bool,
) -> Any:
    """Maps a dataset that is no dict. `where` is the start of warnings, which names its split."""
    is_streaming = isinstance(dataset, datasets.IterableDataset)
    # A streaming dataset without types has to read its first rows to find its columns.
    features = dataset.features if dataset.features is not None else dataset._resolve_features().features
    digest = row_digests.name_of(transform.feature)
    shown = [ERROR] * (on_error == "null") + [REMARK] * remarks
    kept = kept_columns(list(features), transform, keep_columns, [*count_columns(transform.config), digest, *shown])
    audio_type = features[transform.audio]
    decoding = isinstance(audio_type, datasets.Audio)
    encoded = dataset.with_format(None)  # a format would convert the stored values
    if decoding:
        encoded = encoded.cast_column(transform.audio, datasets.Audio(decode=False))
    types = {name: features[name] for name in kept}
    if decoding and transform.audio in kept:
        types[transform.audio] = datasets.Audio(decode=False)
    types |= {transform.feature: feature_type(transform.config), **count_types(transform.config)}
    types[digest] = digest_type(transform.config.fingerprint)
    types |= dict.fromkeys(shown, datasets.Value("string"))
    taken = {*features, *types}
    hidden = {} if is_streaming else _hidden_columns(taken, shown, on_error)
    rows = RowCallable(
        transform,
        on_error,
        error_column=hidden.get(ERROR, ERROR if ERROR in shown else None),
        remark_column=hidden.get(REMARK, REMARK if REMARK in shown else None),
        hidden=list(hidden.values()),
        where=where if is_streaming else "",
        writable=is_streaming,
        files="" if is_streaming else local_files.state(encoded, transform.audio),
    )
    if not is_streaming:
        kwargs = {"desc": f"Computing {transform.feature}", "num_proc": num_proc, **kwargs}
        kwargs = cache_keys.with_key(kwargs, encoded, [where, rows, list(types)])
    with spawned() if num_proc not in (None, 1) else contextlib.nullcontext():
        mapped = encoded.map(
            rows,
            with_indices=True,
            input_columns=[transform.audio],
            batched=True,
            batch_size=batch_size,
            remove_columns=[name for name in features if name not in kept],
            features=datasets.Features(types | dict.fromkeys(hidden.values(), datasets.Value("string"))),
            **kwargs,
        )
    if not is_streaming and len(dataset) == 0:  # `datasets` does not map an empty dataset and so adds no columns
        nothing: dict[str, list[Any]] = {name: [] for name in types}
        mapped = datasets.Dataset.from_dict(nothing, features=datasets.Features(types), split=dataset.split)
    if not is_streaming:
        mapped = row_callable.without_hidden(mapped, rows, where)
    if on_error == "skip":
        mapped = _without_failures(mapped, is_streaming)
    if decoding and transform.audio in kept:
        mapped = mapped.cast_column(transform.audio, audio_type)
    if not is_streaming:
        return mapped.with_format(dataset.format["type"], **dataset.format["format_kwargs"])
    formatting = dataset._formatting
    return mapped if formatting is None else mapped.with_format(formatting.format_type)


def _hidden_columns(taken: Collection[str], shown: Collection[str], on_error: str) -> dict[str, str]:
    """Returns the names of the hidden columns for errors and remarks, by the names they would have if shown."""
    hidden = {}
    for name in (ERROR, REMARK):
        if name not in shown and (name != ERROR or on_error == "skip"):
            hidden[name] = f"_{name}"
            while hidden[name] in taken:
                hidden[name] = f"_{hidden[name]}"
    return hidden


def kept_columns(
    columns: list[str], transform: Transform, keep_columns: Sequence[str] | None, added: Sequence[str]
) -> list[str]:
    """Returns the columns to keep, in the order of the dataset.

    Args:
        columns: All columns of the dataset.
        transform: The transform, which names the audio column and the feature column.
        keep_columns: The columns to keep. None keeps all but the audio.
        added: The columns that are added beside the feature.

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
    if transform.feature in added:
        raise ArgumentError(
            f"The feature must not have the name of another column that the map adds: {', '.join(added)}. Received: "
            f"feature={transform.feature!r}. Give it another name: Transform(..., feature=...)."
        )
    taken = {transform.feature, *added} & set(kept)
    if taken:
        raise ArgumentError(
            "The dataset must not have columns with the names that the map adds. Received: "
            f"{', '.join(sorted(taken))}. Rename them, leave them out with keep_columns, or give the feature another "
            "name: Transform(..., feature=...)."
        )
    return kept


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
