"""Types and class names of columns that an Arrow schema declares.

`datasets` writes the types of its columns as JSON into the metadata of the schema, under the key `huggingface`. Only
the names of each `ClassLabel` are read from there, as data.
"""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from audiopipe.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class DeclaredColumns:
    """What a table declares about its columns.

    Args:
        types: Type of each column that can be metadata, as in `audiopipe.inputs.metadata_types`.
        classes: Names of the classes of each column that is a `ClassLabel`, or a list of them.
    """

    types: dict[str, str] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)


def of_schema(schema: "pa.Schema", where: str) -> DeclaredColumns:
    """Returns what an Arrow schema declares about its columns.

    A column that is not of integers, or of lists of integers, has no classes, whatever its metadata says.

    Args:
        schema: The schema.
        where: Path of the table, for error messages.

    Raises:
        InputError: If the metadata under the key `huggingface` is damaged.

    Example:
        >>> import datasets
        >>> types = datasets.Features({"label": datasets.ClassLabel(names=["cat", "dog"])})
        >>> of_schema(types.arrow_schema, "animals.parquet")
        DeclaredColumns(types={'label': 'int'}, classes={'label': ['cat', 'dog']})
    """
    types = {item.name: kind for item in schema if (kind := _type(item.type))}
    names = _class_names((schema.metadata or {}).get(b"huggingface"), where)
    classes = {name: found for name, found in names.items() if types.get(name) in ("int", "list<int>")}
    return DeclaredColumns(types=types, classes=classes)


def _type(kind: "pa.DataType") -> str | None:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _type(kind.value_type)
        return None if inner is None or inner.startswith("list") else f"list<{inner}>"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float"
    return "bool" if pa.types.is_boolean(kind) else None


def _class_names(metadata: bytes | None, where: str) -> dict[str, list[str]]:
    try:
        features = (json.loads(metadata or b"{}").get("info") or {}).get("features") or {}
        found = {name: _names(feature) for name, feature in features.items()}
        classes = {name: names for name, names in found.items() if names}
        if not all(isinstance(item, str) for names in classes.values() for item in names):
            raise ValueError("the names of classes must be text")
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{where}: the types that datasets wrote into the table are damaged: {type(error).__name__}: {error}. "
            "Write the table again."
        ) from error
    return classes


def _names(feature: Any) -> list[Any] | None:
    """Returns the class names of a feature of `datasets` as JSON. None if it is no class label."""
    if isinstance(feature, list) and len(feature) == 1:  # short for a sequence
        return _names(feature[0])
    if not isinstance(feature, dict):
        return None
    kind = feature.get("_type")
    if kind in ("Sequence", "List", "LargeList"):
        return _names(feature.get("feature"))
    if kind != "ClassLabel":
        return None
    names = feature.get("names")
    # As in `datasets.ClassLabel`, classes that were only counted are named by their numbers.
    return list(map(str, range(int(feature.get("num_classes") or 0)))) if names is None else list(names)
