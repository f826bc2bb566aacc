"""Rows and batches as `datasets` hands them to a mapped function.

`datasets` passes lazy mappings that decode or format a column when it is read. A transform needs the audio as it is
stored, so it asks here. This module imports nothing of `datasets`: it recognises the classes by their names.
"""

from typing import Any


def is_row(mapping: Any) -> bool:
    """Return whether a mapping is a lazy row, or a lazy batch of rows."""
    return _has_base(mapping, "LazyDict")


def is_batch(mapping: Any) -> bool:
    """Return whether a mapping is a lazy batch of rows."""
    return _has_base(mapping, "LazyBatch")


def stored_audio(mapping: Any, key: str) -> Any:
    """Return the audio of a lazy row or batch, encoded where the column is `Audio`, before `datasets` decodes it.

    Args:
        mapping: A lazy row, or a lazy batch of rows.
        key: Name of the audio column.

    Returns:
        For a row its audio value, for a batch a list of them: a dict with `bytes` and `path` where the column is
        encoded audio, else what the mapping itself gives.
    """
    if key in getattr(mapping, "keys_to_format", ()):
        column = mapping.pa_table[key]
        kind = column.type
        names = {kind.field(index).name for index in range(kind.num_fields)} if str(kind).startswith("struct<") else ()
        if {"bytes", "path"} <= set(names):
            return column.to_pylist() if is_batch(mapping) else column[0].as_py()
    return mapping[key]


def _has_base(mapping: Any, name: str) -> bool:
    return any(cls.__module__.startswith("datasets.") and cls.__name__ == name for cls in type(mapping).__mro__)
