"""Arguments of `map` of `datasets`, as they apply to a transform."""

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import datasets

from audiopipe import checks
from audiopipe.errors import ArgumentError, UntypedFeatureWarning
from audiopipe.feature_sets import fingerprints
from audiopipe.hf import typed_maps
from audiopipe.hf.added_columns import AddedColumns, kept_columns
from audiopipe.transform.transform import Transform

DEFAULT_BATCH_SIZE = 1000  # of `map` of `datasets`


def mapped(original: Callable[..., Any], dataset: Any, transform: Transform, given: Mapping[str, Any]) -> Any:
    """Computes the feature of every row, as `dataset.map(transform, **given)` asks for.

    Args:
        original: The method of `datasets`, for a result without types.
        dataset: A `datasets.Dataset` or `IterableDataset`.
        transform: The transform.
        given: Arguments of the method that the caller gave.

    Returns:
        The dataset with the columns that are not removed, and those of `hf.map`. Without types and digests, with a
        warning, if `features` declares other types for the new columns, or if a streaming dataset has neither types
        nor rows.

    Raises:
        ArgumentError: If an argument does not fit a transform, or a column is missing or has the name of a new one.
        AudioError: If the audio of a row cannot be read or is shorter than one frame.

    Warns:
        UntypedFeatureWarning: If the result has no types.
    """
    arguments = dict(given)
    _check_calls(arguments, transform)
    features = typed_maps.types_of(dataset)
    if not features and isinstance(dataset, datasets.IterableDataset):
        _warn(
            transform,
            "a streaming dataset without rows and without declared types, so its columns are not known",
            "Declare the types of its columns when you create the stream. Then dataset.map and audiopipe.hf.map "
            "declare the types of the new columns.",
        )
        return original(dataset, transform, **given)
    removed = _names("remove_columns", arguments.pop("remove_columns", None))
    unknown = [name for name in removed if name not in features]
    if unknown:
        raise ArgumentError(
            f"remove_columns must name columns of the dataset: {', '.join(features)}. Also received: "
            f"{', '.join(unknown)}."
        )
    kept = kept_columns(list(features), transform, [name for name in features if name not in removed])
    types = {name: features[name] for name in kept}
    batches = _batches(arguments, isinstance(dataset, datasets.IterableDataset))
    declared, _ = arguments.pop("features", None), arguments.pop("batched", None)
    others: dict[str, Any] = {}
    if declared is not None:
        added = AddedColumns(transform, types)
        _check_names(declared, types, added)
        types = {name: declared[name] for name in kept}
        others = {name: declared[name] for name in added.types if not _is_declared(name, declared, added)}
        if transform.feature in others:
            received = f"features={{{transform.feature!r}: {others[transform.feature]}}}"
            _warn(
                transform,
                f"{received}. Expected: {added.types[transform.feature]}",
                "Leave it out of features, or use audiopipe.hf.map(dataset, transform), which declares the types.",
            )
    return typed_maps.compute(dataset, transform, types, other_types=others, **{**arguments, **batches})


def _check_calls(arguments: dict[str, Any], transform: Transform) -> None:
    """Removes the arguments about the call of the function, and raises an error if a transform cannot be so called."""
    for name in ("with_indices", "with_rank"):
        if arguments.pop(name, False):
            raise ArgumentError(
                f"{name} must be False for a transform, which takes only audio. Received: {name}=True. Leave it "
                "out, or map a function of your own that calls the transform."
            )
    columns = arguments.pop("input_columns", None)
    if columns is not None and _names("input_columns", columns) != [transform.audio]:
        raise ArgumentError(
            f"input_columns must be the audio column of the transform, {transform.audio!r}, or None. Received: "
            f"input_columns={columns!r}. Name the column that holds the audio: Transform(..., audio=...)."
        )
    options = dict(arguments.pop("fn_kwargs", None) or {})
    rate = options.pop("sample_rate", None)
    if options or rate not in (None, transform.config.sample_rate):
        raise ArgumentError(
            "fn_kwargs must be empty for a transform, or have only sample_rate, with the rate of the config: "
            f"{transform.config.sample_rate}. Received: fn_kwargs={({'sample_rate': rate} if rate else {}) | options}. "
            "Rows know their lengths and sample rates, so leave fn_kwargs out."
        )


def _names(argument: str, columns: Any) -> list[str]:
    """Returns the names of columns in an argument, which may be one name."""
    names = [columns] if isinstance(columns, str) else columns or []
    if not isinstance(names, Collection) or not all(isinstance(name, str) for name in names):
        raise checks.fail(argument, "the name of a column, or a list of names", columns)
    return list(names)


def _check_names(declared: Mapping[str, Any], kept: Mapping[str, Any], added: AddedColumns) -> None:
    """Raises an error unless `features` declares all kept columns, and otherwise only new ones."""
    lacking, unknown = kept.keys() - declared.keys(), declared.keys() - kept.keys() - added.types.keys()
    if lacking or unknown:
        raise ArgumentError(
            f"features must declare the kept columns, {', '.join(kept)}, and may declare the new columns, "
            f"{', '.join(added.types)}. Missing in features: {', '.join(sorted(lacking)) or 'none'}. Unknown: "
            f"{', '.join(sorted(unknown)) or 'none'}. Correct features, or leave it out."
        )


def _is_declared(name: str, declared: Mapping[str, Any], added: AddedColumns) -> bool:
    """Returns whether `features` leaves out a new column or gives it its type, with or without the `id`.

    Raises:
        ArgumentError: If the type says what the column does not hold.
    """
    if name not in declared or declared[name] == added.types[name]:
        return True
    plain, own = (datasets.Features({name: kind}).arrow_schema.field(0) for kind in (declared[name], added.types[name]))
    is_other = name != added.feature and added.types[name].id is not None and plain.type != own.type
    if is_other or fingerprints.of_columns({name: declared[name]}):
        raise ArgumentError(
            f"features must give the new column {name!r} the type of audiopipe.hf.map, or leave it out: "
            f"{added.types[name]}. Received: {declared[name]}, id={getattr(declared[name], 'id', None)}."
        )
    return plain.type == own.type


def _batches(arguments: Mapping[str, Any], is_streaming: bool) -> dict[str, Any]:
    """Returns the arguments about batches for the map of the audio column, which is always batched.

    The size of a batch changes nothing but the memory and what `drop_last_batch` drops, so a map with the default of
    `datasets`, or without batches, gets small ones. Rows that are streamed one by one are also read one by one.
    """
    batched = arguments.get("batched", False)
    size = arguments.get("batch_size", DEFAULT_BATCH_SIZE)
    drops = batched and arguments.get("drop_last_batch", False)
    if not batched:
        size = 1 if is_streaming else typed_maps.BATCH_SIZE
    elif size == DEFAULT_BATCH_SIZE and not drops:
        size = typed_maps.BATCH_SIZE
    return {"batch_size": size, "drop_last_batch": drops}


def _warn(transform: Transform, received: str, advice: str) -> None:
    warnings.warn(
        f"The column {transform.feature!r} gets no declared type, no digests and no fingerprint. Received: {received}. "
        f"{advice}",
        UntypedFeatureWarning,
        stacklevel=4,  # the call of `map`
    )
