"""Lazy rows and batches that `datasets` passes to a mapped function.

These mappings decode or format a column when it is read, but a transform needs the audio as it is stored. This module
does not import `datasets`: it recognises the classes by their names.
"""

from typing import Any


def is_row(mapping: Any) -> bool:
    """Returns whether a mapping is a lazy row or a lazy batch of rows."""
    return _has_base(mapping, "LazyDict")


def is_batch(mapping: Any) -> bool:
    """Returns whether a mapping is a lazy batch of rows."""
    return _has_base(mapping, "LazyBatch")


def stored_audio(mapping: Any, key: str) -> Any:
    """Returns the audio of a lazy row or batch as it is stored, before `datasets` decodes it.

    Args:
        mapping: A lazy row, or a lazy batch of rows.
        key: Name of the audio column.

    Returns:
        The audio value of a row, or a list of the audio values of a batch. A value is a dict with `bytes` and `path`
        if the column holds encoded audio, otherwise the value that the mapping returns.
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
