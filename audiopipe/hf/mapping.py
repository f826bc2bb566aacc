"""Computation of the features of a whole dataset."""

import copy
from collections.abc import Sequence
from typing import Any, Literal

import datasets

from audiopipe import checks
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.hf import typed_maps
from audiopipe.hf.added_columns import kept_columns
from audiopipe.hf.typed_maps import BATCH_SIZE
from audiopipe.transform.transform import Transform

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
    accept_truncated: bool = False,
    remarks: bool = False,
    **kwargs: Any,
) -> Any:
    """Computes the feature of every row.

    Replaces the audio column by the feature, and keeps all other columns. audiopipe decodes the stored bytes itself,
    not with the decoder of `datasets`, so that the bits agree with the other doors. `dataset.map(transform)` does the
    same with the arguments of `datasets`, and keeps the audio column.

    **Cache.** `datasets` caches the result: the same transform over the same dataset is computed only once, even across
    processes. For rows with local paths, the cache depends on the size, the modification time and the permissions of
    each file. If a file was replaced, fixed, added or removed, the dataset is computed again. This check takes a third
    of a second per 100,000 files on a local disk. It is not possible for remote paths. If a remote file has changed,
    pass `load_from_cache_file=False`.

    Args:
        dataset: A `datasets.Dataset`, `IterableDataset`, or a dict of them. Its audio column holds `Audio` (with or
            without decoding), paths, bytes, decoded samples with their rate, or arrays at the config's sample rate.
            The rows of a streaming dataset are computed when they are read.
        transform: The transform. Its `audio` is the name of the audio column, its `feature` that of the new column.
        batch_size: Number of rows in memory at once.
        keep_columns: The columns to keep. They may include the audio. None keeps all columns but the audio.
        num_proc: Number of processes. All numbers give the same bits. TensorFlow already uses every processor in one
            process, so more processes help only if decoding takes most of the time. They start from a fork server, see
            `spawned`.
        on_error: What to do with a row whose audio cannot be read or is shorter than one frame. `"raise"` raises an
            error that names the row and the file. `"skip"` leaves the row out and warns how many rows were left out; a
            streaming dataset warns about each row when it is read. `"null"` sets the feature to null and `n_frames` to
            0, and adds a text column `error`, which is null for all other rows.
        accept_truncated: Whether to read a damaged or truncated file up to the fault, with a remark, instead of
            treating it as an error. `Transform(..., accept_truncated=True)` has the same effect.
        remarks: Whether to add a text column `remark` about faults that did not prevent reading, such as a missing end.
            It is null for rows without remarks, and several remarks are joined by `"; "`. If False, each remark becomes
            a warning of class `audiopipe.errors.AudioRemark` that names the row and the file, also if the result comes
            from the cache.
        **kwargs: Further arguments of `datasets.Dataset.map`, for example `keep_in_memory` or `load_from_cache_file`.
            A file named by `cache_file_name`, or found by `new_fingerprint`, is used only if the same transform
            computed it from the same state of the local files.

    Returns:
        The dataset with the kept columns and these new columns.

        - `feature`: float32 `[frames, bins]` if there is one channel, otherwise `[frames, bins, channels]`.
        - `n_frames`: the number of frames.
        - `valid_frames`: the number of frames that hold audio. It is there if the config pads or cuts clips, like that
          of Whisper. A clip that is cut gets a remark.
        - `feature_digest`: a text that lets readers notice changed values. It is null for a row without a feature.

        If kept columns already count the frames of another feature, the new numbers are called `<feature>_n_frames` and
        `<feature>_valid_frames`.

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
    kwargs |= {"batch_size": batch_size, "on_error": on_error, "remarks": checks.boolean("remarks", remarks)}
    if not is_streaming:
        kwargs["num_proc"] = num_proc

    def of(part: Any, where: str) -> Any:
        types = typed_maps.types_of(part)
        kept = kept_columns(list(types), transform, keep_columns)
        return typed_maps.compute(part, transform, {name: types[name] for name in kept}, where=where, **kwargs)

    if not isinstance(dataset, dict):
        return of(dataset, "")
    mapped = {}
    for split, part in dataset.items():
        try:
            mapped[split] = of(part, f"Split {split!r}: ")
        except AudioError as error:
            raise AudioError(f"Split {split!r}: {error}", error.stage) from error
    return type(dataset)(mapped)


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
