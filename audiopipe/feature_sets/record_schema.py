"""Description of the entries of a record, for readers other than audiopipe."""

from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns

RECORD_SCHEMA = {
    "id": "bytes: UTF-8",
    "feature": "bytes: {dtype}, little-endian, C order",
    "shape": "int64[3]: of the feature",
    "n_frames": "int64",
    "fingerprint": "bytes: the first 8 of the fingerprint",
    "set_id": "bytes: the same in every record of the feature set",
    "record": "int64[2]: number of its shard, and its number in the shard, both from 0",
}
DTYPE_SCHEMA = {"dtype": "bytes: {dtype}"}  # an additional entry of records that are not float32
METADATA_SCHEMA = {
    "string": "bytes: UTF-8",
    "int": "int64",
    "float": "bytes: float64, little-endian",
    "bool": "int64: 0 or 1",
    "list<string>": "bytes, one for each item: UTF-8",
    "list<int>": "int64, one for each item",
    "list<float>": "bytes: float64, little-endian, 8 bytes for each item",
    "list<bool>": "int64, one for each item: 0 or 1",
}
LENGTH_SCHEMA = "int64: number of items of {column}, {missing} if the list is missing"


def describe(dtype: str, columns: Columns) -> dict[str, str]:
    """Describes every entry of a record.

    Args:
        dtype: Storage dtype of the features.
        columns: The metadata columns.

    Returns:
        Type and content of each entry of the `tf.train.Example`, for people to read.

    Example:
        >>> columns = Columns(types={"label": "int"}, classes={"label": ["cat", "dog"]}, fill_values={"label": -1})
        >>> describe("float32", columns)["label"]
        'int64: position in the classes of label, -1 if missing'
    """
    entries = RECORD_SCHEMA if dtype == "float32" else {**RECORD_SCHEMA, **DTYPE_SCHEMA}
    described = {name: text.format(dtype=dtype) for name, text in entries.items()}
    for name, kind in columns.types.items():
        described[name] = METADATA_SCHEMA[kind]
        if name in columns.classes:
            described[name] += f": position in the classes of {name}, {MISSING_CLASS} if missing"
        elif name in columns.fill_values:
            described[name] += f": {columns.fill_values[name]} if missing"
        if name in columns.lengths:
            described[columns.lengths[name]] = LENGTH_SCHEMA.format(column=name, missing=MISSING_LIST)
    return described
