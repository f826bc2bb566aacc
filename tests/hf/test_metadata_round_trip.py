"""Any metadata survives a feature set: from rows to records, to the tensors of `load`, and back to rows."""

import math
import tempfile
import warnings

import numpy as np
import pytest
import tensorflow as tf
from feature_rows import CONFIG
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import hf, load
from audiopipe.errors import MetadataRemark
from audiopipe.feature_sets import records, set_files
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import Source
from audiopipe.inputs.column_inference import of_sources
from audiopipe.inputs.columns import is_list
from audiopipe.inputs.metadata_types import check_columns

pytestmark = pytest.mark.usefixtures("quiet_bars")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INTEGERS = st.sampled_from([-1, -2, 0, 1, -(2**63), 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)
ITEMS = {
    "string": TEXT,
    "int": INTEGERS,
    "float": st.floats() | st.integers(-(2**53), 2**53),
    "bool": st.booleans(),
}


@st.composite
def columns_of(draw, n_rows):
    """Draws a column: its kind, whether it has lists, whether it has classes, and its values."""
    kind = draw(st.sampled_from(list(ITEMS)))
    in_lists = draw(st.booleans())
    is_class = kind == "string" and draw(st.booleans())
    item = TEXT.filter(bool) if is_class else ITEMS[kind]
    value = st.lists(item, max_size=3) if in_lists else item
    value = value if kind == "bool" and not in_lists else value | st.none()
    values = draw(st.lists(value, min_size=n_rows, max_size=n_rows))
    if is_class:
        values[0] = ["a"] if in_lists else "a"
    return is_class, values


@st.composite
def tables(draw):
    """Draws rows of metadata and the names of their class columns."""
    n_rows = draw(st.integers(1, 4))
    names = draw(st.lists(st.sampled_from(["x", "x_length", "x_length_", "y", "é"]), unique=True, max_size=4))
    drawn = {name: draw(columns_of(n_rows)) for name in names}
    rows = [{name: values[row] for name, (_, values) in drawn.items()} for row in range(n_rows)]
    # A missing value is null or left out.
    rows = [{name: value for name, value in row.items() if value is not None or draw(st.booleans())} for row in rows]
    written = {name for row in rows for name in row}
    return rows, [name for name, (is_class, _) in drawn.items() if is_class and name in written]


SHARD_ID = "00000000000000ab"


def write(folder, rows, columns):
    path = f"{folder}/features-00000000.tfrecord"
    with tf.io.TFRecordWriter(path) as file:
        for number, row in enumerate(rows):
            feature = np.zeros((1, CONFIG.n_bins, 1), np.float32)
            file.write(records.encode(str(number), feature, CONFIG, row, columns, records.Place(SHARD_ID, number))[0])
    count = len(rows)
    made = Description(
        path=folder,
        config=CONFIG,
        kernel_version=CONFIG.kernel_version,
        counts={"clips": count, "failures": 0, "frames": count, "hours": 0.0},
        schema=columns.types,
        classes=columns.classes,
        fill_values=columns.fill_values,
        shards=[
            {**set_files.facts(folder, path.rpartition("/")[2]), "id": SHARD_ID, "records": count, "max_error": 0.0}
        ],
        machines=[],
    )
    made.write()
    return made


def expected(value, kind, classes):
    """Returns a value as a dataset that was restored from a feature set has it."""
    if isinstance(value, list):
        return [expected(item, kind.removeprefix("list<").removesuffix(">"), classes) for item in value]
    if classes is not None and value is not None:
        return classes.index(value)
    if value is None and not is_list(kind):
        return {"string": "", "float": math.nan}.get(kind)
    return float(value) if kind == "float" else value


@settings(max_examples=4)  # each writes two feature sets
@given(tables())
def test_rows_are_the_same_after_a_feature_set(table):
    rows, class_columns = table
    for row in rows:
        check_columns(row, "a row")
    columns = of_sources([Source(str(number), "a.wav", metadata=row) for number, row in enumerate(rows)], class_columns)
    names = list(columns.types)
    wanted = [
        {name: expected(row.get(name), columns.types[name], columns.classes.get(name)) for name in names}
        for row in rows
    ]
    for name, value in columns.fill_values.items():
        assert name in columns.classes or value not in [row.get(name) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        write(folder, rows, columns)
        made = Description.open(folder)
        assert made.columns == columns
        for element, row in zip(load(folder).as_numpy_iterator(), rows, strict=True):
            for name, length in columns.lengths.items():
                missing = row.get(name) is None
                assert element[length] == (-1 if missing else len(row[name]))
                assert len(element[name]) == (0 if missing else len(row[name]))
        back = hf.from_feature_set(folder, CONFIG, cache_dir=f"{folder}/cache")
        np.testing.assert_equal([{name: row[name] for name in names} for row in back], wanted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataRemark)
            again = hf.to_feature_set(back, f"{folder}/again")
        assert (again.classes, again.fill_values, again.schema) == (made.classes, made.fill_values, made.schema)
        once_more = hf.from_feature_set(again.path, CONFIG, cache_dir=f"{folder}/cache")
        np.testing.assert_equal([{name: row[name] for name in names} for row in once_more], wanted)
