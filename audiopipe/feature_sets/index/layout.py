"""Columns of an index: their names and types, and which column is which.

The columns are `id`, `n_frames`, `valid_frames`, `seconds`, every metadata column, and two structs: `record` says where
the record is, and `source` says which audio the clip was computed from. A metadata column keeps its name. If it has the
name of one of the other columns, underscores are added to the name of that one.
"""

import functools
import json
from dataclasses import dataclass

import pyarrow as pa

from audiopipe.inputs.columns import Columns, free_name, is_list, item_type

OWN_NAMES = ("id", "n_frames", "valid_frames", "seconds", "record", "source")
CLASSES_KEY = b"classes"
COLUMNS_KEY = b"audiopipe"

DIGEST_BYTES = 16
_ITEM_TYPES = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
RECORD_TYPE = pa.struct(
    {"shard": pa.int32(), "number": pa.int32(), "offset": pa.int64(), "bytes": pa.int64(), "id": pa.binary()}
)
SOURCE_TYPE = pa.struct(
    {
        "id": pa.string(),
        "path": pa.string(),
        "row": pa.int64(),
        "start": pa.float64(),
        "end": pa.float64(),
        "size": pa.int64(),
        "time": pa.int64(),
        "version": pa.string(),
        "digest": pa.binary(DIGEST_BYTES),
    }
)
_OWN_TYPES = {
    "id": pa.string(),
    "n_frames": pa.int64(),
    "valid_frames": pa.int64(),
    "seconds": pa.float64(),
    "record": RECORD_TYPE,
    "source": SOURCE_TYPE,
}


@dataclass(frozen=True)
class Layout:
    """Layout of the index of a feature set with certain metadata columns.

    Args:
        columns: The metadata columns.

    Example:
        >>> from audiopipe.inputs.columns import Columns
        >>> layout = Layout(Columns(types={"seconds": "float", "speaker": "string"}))
        >>> layout.schema.names
        ['id', 'n_frames', 'valid_frames', 'seconds_', 'seconds', 'speaker', 'record', 'source']
    """

    columns: Columns

    @functools.cached_property
    def metadata(self) -> dict[str, str]:
        """Name in the index of each metadata column, sorted. It differs from that of a column that is not UTF-8."""
        names: dict[str, str] = {}
        for column in sorted(self.columns.types, key=lambda name: (escaped(name) != name, name)):
            names[column] = free_name(escaped(column), {*names.values(), "id", "n_frames"})
        return dict(sorted(names.items()))

    @functools.cached_property
    def own(self) -> dict[str, str]:
        """Name in the index of each of `OWN_NAMES`."""
        names: dict[str, str] = {}
        for name in OWN_NAMES:
            names[name] = free_name(name, {*names.values(), *self.metadata.values()})
        return names

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """Schema of the index.

        The names of classes are in the metadata of a field, under the key `classes`, as a JSON list. The metadata of
        the schema has a JSON object under the key `audiopipe`: the object `own` maps `OWN_NAMES` to the names of these
        columns, and the object `metadata` maps the metadata columns to the names of theirs.
        """
        own = {name: pa.field(self.own[name], _OWN_TYPES[name]) for name in OWN_NAMES}
        fields = [own[name] for name in OWN_NAMES[:4]]
        for column, name in self.metadata.items():
            classes = self.columns.classes.get(column)
            described = None if classes is None else {CLASSES_KEY: json.dumps(classes)}
            fields.append(pa.field(name, _arrow_type(self.columns.types[column]), metadata=described))
        which = json.dumps({"own": self.own, "metadata": self.metadata}, sort_keys=True)
        return pa.schema([*fields, own["record"], own["source"]], metadata={COLUMNS_KEY: which})


def schema(columns: Columns) -> pa.Schema:
    """Returns the schema of the index of a feature set with certain metadata columns, see `Layout.schema`."""
    return Layout(columns).schema


def escaped(text: str) -> str:
    r"""Returns text as the index has it: bytes that are not UTF-8 are written as backslash escapes.

    Args:
        text: Text in which each byte that is not UTF-8 is a surrogate, as `os.fsdecode` returns it.

    Example:
        >>> escaped("Zoë"), escaped("caf\udce9")
        ('Zoë', 'caf\\udce9')
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _arrow_type(kind: str) -> pa.DataType:
    single = _ITEM_TYPES[item_type(kind)]
    return pa.list_(single) if is_list(kind) else single
