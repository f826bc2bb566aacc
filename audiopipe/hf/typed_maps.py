"""Map of one dataset to the feature of a transform, with typed columns and digests."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import datasets

from audiopipe.errors import ArgumentError
from audiopipe.hf import cache_keys, local_files, row_callable
from audiopipe.hf.added_columns import AddedColumns
from audiopipe.hf.fork_server import spawned
from audiopipe.hf.row_callable import RowCallable
from audiopipe.transform.transform import Transform

BATCH_SIZE = 16  # rows in memory at once. More are not faster
ERROR = "error"  # column with the errors of rows
REMARK = "remark"  # column with the remarks about rows


def types_of(dataset: Any) -> datasets.Features:
    """Returns the types of a dataset's columns. A streaming dataset without types has to read its first rows.

    If it has no rows either, there are none.
    """
    if dataset.features is not None:
        return dataset.features
    try:
        return dataset._resolve_features().features
    except StopIteration:
        return datasets.Features()


def compute(
    dataset: Any,
    transform: Transform,
    types: Mapping[str, Any],
    *,
    other_types: Mapping[str, Any] = MappingProxyType({}),
    where: str = "",
    on_error: str = "raise",
    remarks: bool = False,
    **kwargs: Any,
) -> Any:
    """Computes the feature of every row of a dataset.

    Args:
        dataset: A `datasets.Dataset` or `IterableDataset`. If its rows are what a function of `with_transform` returns,
            the feature is that of the returned audio.
        transform: The transform.
        types: The types of the columns to keep, by name.
        other_types: Types that new columns get instead of their own, by name. A feature of another type has no digests.
        where: Start of errors and warnings, which names the split.
        on_error: As for `hf.map`.
        remarks: As for `hf.map`.
        **kwargs: Further arguments of `map` of the dataset.

    Returns:
        The dataset with the kept columns and those of `AddedColumns`, in the format that it had.

    Raises:
        ArgumentError: If a column has the name of a new one, or an audio value is of no known form.
        AudioError: If `on_error` is `"raise"` and a row has no feature.
    """
    is_streaming = isinstance(dataset, datasets.IterableDataset)
    features = types_of(dataset)
    shown = [ERROR] * (on_error == "null") + [REMARK] * remarks
    added = AddedColumns(transform, types, shown)
    stored = {**types, **added.types, **other_types}
    audio_type = types.get(transform.audio)
    if isinstance(audio_type, datasets.Audio):
        stored[transform.audio] = datasets.Audio(decode=False)
    hidden = {} if is_streaming else _hidden_columns({*features, *stored}, shown, on_error)
    encoded, is_shown = _encoded(dataset, transform.audio, features)
    rows = RowCallable(
        transform,
        on_error,
        counts=added.counts,
        error_column=hidden.get(ERROR, ERROR if ERROR in shown else None),
        remark_column=hidden.get(REMARK, REMARK if REMARK in shown else None),
        hidden=list(hidden.values()),
        where=where if is_streaming else "",
        writable=is_streaming,
        files="" if is_streaming else local_files.state(encoded, transform.audio),
    )
    if not is_streaming:
        kwargs = {"desc": f"Computing {transform.feature}", **kwargs}
        if kwargs.get("num_proc") == 1:
            kwargs["num_proc"] = None  # `datasets` would fork a process
        dropped = kwargs["batch_size"] if kwargs.get("drop_last_batch") else None
        kwargs = cache_keys.with_key(kwargs, encoded, [where, rows, datasets.Features(stored).to_dict(), dropped])
    with spawned() if kwargs.get("num_proc") else contextlib.nullcontext():
        mapped = encoded.map(
            _ShownRows(rows) if is_shown else rows,
            with_indices=True,
            input_columns=None if is_shown else [transform.audio],
            batched=True,
            remove_columns=[name for name in features if name not in types],
            features=datasets.Features(stored | dict.fromkeys(hidden.values(), datasets.Value("string"))),
            **kwargs,
        )
    if not is_streaming and transform.feature not in mapped.column_names:
        mapped = _without_rows(dataset, stored)  # `datasets` adds no columns if there are no rows, or no whole batch
    if not is_streaming:
        mapped = row_callable.without_hidden(mapped, rows, where)
    if on_error == "skip":
        mapped = _without_failures(mapped, added.counts[0], is_streaming)
    if isinstance(audio_type, datasets.Audio):
        mapped = mapped.cast_column(transform.audio, audio_type)
    if transform.feature in other_types:
        mapped = mapped.remove_columns([added.digest])  # a text also removes columns whose names are parts of it
    return _formatted(mapped, dataset)


class _ShownRows:
    """Callable for the map of a dataset whose rows are what a function of `with_transform` returns.

    Args:
        rows: The callable for the audio of the rows.
    """

    def __init__(self, rows: RowCallable):
        self.rows = rows

    def __call__(self, batch: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, list[Any]]:
        audio = self.rows.transform.audio
        if audio not in batch:
            raise ArgumentError(
                f"The function of with_transform must return the audio column {audio!r}. Received: "
                f"{', '.join(batch)}. Map the stored rows, dataset.with_format(None), or return the audio as well."
            )
        return self.rows(batch[audio], numbers)


def _encoded(dataset: Any, audio: str, features: datasets.Features) -> tuple[Any, bool]:
    """Returns the dataset whose audio is passed to the transform, and whether a function shows its rows.

    Otherwise the values are the stored ones: a format would convert them, and `Audio()` would decode them.
    """
    if isinstance(dataset, datasets.Dataset) and dataset.format["type"] == "custom":
        return dataset, True
    encoded = dataset.with_format(None)
    if isinstance(features[audio], datasets.Audio):
        encoded = encoded.cast_column(audio, datasets.Audio(decode=False))
    return encoded, False


def _hidden_columns(taken: Collection[str], shown: Collection[str], on_error: str) -> dict[str, str]:
    """Returns the names of the hidden columns for errors and remarks, by the names they would have if shown."""
    hidden = {}
    for name in (ERROR, REMARK):
        if name not in shown and (name != ERROR or on_error == "skip"):
            hidden[name] = f"_{name}"
            while hidden[name] in taken:
                hidden[name] = f"_{hidden[name]}"
    return hidden


def _without_rows(dataset: datasets.Dataset, types: Mapping[str, Any]) -> datasets.Dataset:
    info = dataset.info.copy()
    info.features = datasets.Features(types)
    return datasets.Dataset.from_dict({name: [] for name in types}, info.features, info, dataset.split)


def _without_failures(mapped: Any, n_frames: str, is_streaming: bool) -> Any:
    """Leaves out the rows without frames. Every row with a feature has at least one frame."""
    if is_streaming:
        return mapped.filter(_has_frames, input_columns=[n_frames])
    counts = mapped.with_format("numpy")[n_frames][:]
    return mapped if (counts > 0).all() else mapped.select(counts.nonzero()[0])


def _has_frames(n_frames: int) -> bool:
    return n_frames > 0


def _formatted(mapped: Any, dataset: Any) -> Any:
    """Returns a mapped dataset in the format of the original one. New columns are formatted too, as in `datasets`."""
    if isinstance(dataset, datasets.IterableDataset):
        formatting = dataset._formatting
        return mapped if formatting is None else mapped.with_format(formatting.format_type)
    form = dataset.format
    plain = set(dataset.column_names) - set(form["columns"])
    return mapped.with_format(
        form["type"],
        columns=[name for name in mapped.column_names if name not in plain] if plain else None,
        output_all_columns=form["output_all_columns"],
        **form["format_kwargs"],
    )
