"""Examples that `ToExamples` makes: the records of precompute, but for their place."""

import apache_beam
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from computed_clips import clip, elements_of, write

from audiopipe import FeatureSet, beam
from audiopipe.errors import ArgumentError, InputError
from audiopipe.feature_sets import record_schema, records, tfrecords
from audiopipe.inputs import metadata_types
from audiopipe.inputs.columns import Columns


def examples(elements, config, *args, **options):
    encode = beam.ToExamples(config, *args, **options)
    return elements_of(lambda pipeline: pipeline | apache_beam.Create(elements, reshuffle=False) | encode)


def test_examples_are_the_records_of_precompute(shared_feature_set):
    sets = FeatureSet(shared_feature_set)
    encode = beam.ToExamples(sets.config, sets.schema)
    made = elements_of(lambda pipeline: pipeline | beam.ReadFeatureSet(sets) | encode)
    stored = {}
    for shard in sets.shards:
        with open(f"{sets.path}/{shard['name']}", "rb") as file:
            for number, (_, record) in enumerate(tfrecords.read(file)):
                stored[records.clip_id(record)] = record, records.Place(shard["id"], number)
    assert len(made) == len(stored) == 4
    for example in made:
        record, place = stored[records.clip_id(example)]
        assert records.moved(example, place)[0] == record


def test_examples_are_parsed_by_tensorflow(config):
    row = clip(0, config, take=3, gain=0.5, tags=["a", "b"], note=None)
    [example] = examples([row], config)
    entries = tf.train.Example.FromString(example).features.feature
    assert entries["id"].bytes_list.value == [b"clip-000"]
    assert entries["take"].int64_list.value == [3]
    assert np.frombuffer(entries["gain"].bytes_list.value[0], "<f8") == 0.5
    assert entries["tags"].bytes_list.value == [b"a", b"b"]
    assert "note" not in entries
    values = np.frombuffer(entries["feature"].bytes_list.value[0], "<f4")
    np.testing.assert_array_equal(values.reshape(entries["shape"].int64_list.value), row["feature"])


def test_files_of_examples_are_read_by_tensorflow(config, tmp_path):
    rows = [clip(number, config) for number in range(5)]
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        encoded = pipeline | apache_beam.Create(rows) | beam.ToExamples(config)
        _ = encoded | apache_beam.io.WriteToTFRecord(str(tmp_path / "examples"))
    found = [
        records.decode(example, Columns(types={}), config, "float32")
        for example in tf.data.TFRecordDataset(list(map(str, tmp_path.glob("examples*")))).as_numpy_iterator()
    ]
    assert sorted(record.id for record in found) == [row["id"] for row in rows]


def test_types_make_the_entries_of_all_examples_alike(config):
    types = {"gain": "float", "tags": "list<int>", "age": "int"}
    rows = [clip(0, config, gain=1, tags=[2], age=None, other="x"), clip(1, config, gain=0.5, tags=None, age=4)]
    columns = Columns(types=types, fill_values={"age": -1})
    found = [records.decode(example, columns, config, "float32").metadata for example in examples(rows, config, types)]
    assert found == [{"gain": 1.0, "tags": [2], "age": None}, {"gain": 0.5, "tags": None, "age": 4}]


def test_examples_of_a_set_with_classes_have_its_positions(config, tmp_path):
    rows = [clip(0, config, label="b", tags=["y"]), clip(1, config, label="a", tags=[]), clip(2, config)]
    sets = FeatureSet(write(rows, tmp_path / "features", config, class_columns=["label", "tags"]))
    encode = beam.ToExamples(config, sets.schema, classes=sets.classes)
    made = elements_of(lambda pipeline: pipeline | beam.ReadFeatureSet(sets) | encode)
    columns = Columns(types=dict(sets.schema), classes=dict(sets.classes))
    found = {record.id: record.metadata for record in (records.decode(one, columns, config, "float32") for one in made)}
    assert found == {clip["id"]: {name: clip[name] for name in ("label", "tags")} for clip in sets}


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("c", "int", "must have one of the classes: a, b. Received: 'c'"),
        (1, "int", "must have one of the classes: a, b. Received: 1"),
        (["a", "c"], "list<int>", "must have a list of classes: a, b. Received: .*'a', 'c'"),
        ("a", "list<int>", "must have a list of classes"),
    ],
)
def test_unknown_classes_are_refused(config, value, kind, message):
    with pytest.raises(InputError, match=f"'clip-000': its field 'label' {message}"):
        examples([clip(0, config, label=value)], config, {"label": kind}, classes={"label": ["a", "b"]})


def test_classes_need_types(config):
    with pytest.raises(ArgumentError, match="classes must come with the types of all columns"):
        beam.ToExamples(config, classes={"label": ["a"]})


def test_features_are_rounded_to_the_dtype(config):
    [example] = examples([clip(0, config)], config, dtype="float16")
    feature = records.decode(example, Columns(types={}), config, "float16").feature
    np.testing.assert_array_equal(feature, clip(0, config)["feature"].astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("value", "kind"), [("a", "int"), (0.5, "int"), ([1], "int"), (1, "string"), (["a"], "list<int>")]
)
def test_values_of_another_type_are_refused(config, value, kind):
    with pytest.raises(InputError, match=f"'clip-000': its field 'field' must have the type {kind}"):
        examples([clip(0, config, field=value)], config, {"field": kind})


def test_unknown_types_and_dtypes_are_refused(config):
    with pytest.raises(ArgumentError, match="date"):
        beam.ToExamples(config, {"field": "date"})
    with pytest.raises(ArgumentError, match="int8"):
        beam.ToExamples(config, dtype="int8")
    with pytest.raises(ArgumentError, match="types must be a dict by column name"):
        beam.ToExamples(config, ["field"])


@pytest.mark.parametrize(
    "name", [*metadata_types.RESERVED_NAMES, "id", "remarks", "valid_frames", "feature_digest", "mel", "mel_digest"]
)
def test_types_must_not_name_what_records_and_elements_use(config, name):
    feature = "mel" if name.startswith("mel") else "feature"
    with pytest.raises(ArgumentError, match=f"types must name metadata columns. Received: '{name}'"):
        beam.ToExamples(config, {"label": "int", name: "string"}, feature=feature)


def test_names_that_records_use_are_refused_in_every_block_and_in_inputs(config, tmp_path):
    entries = {*record_schema.RECORD_SCHEMA, *record_schema.DTYPE_SCHEMA, "set_id"} - {"id"}
    renamed = {"shard_id", "valid_frames"}  # columns may have these names, and the entries get others
    assert entries - renamed <= set(metadata_types.RESERVED_NAMES)
    for name in metadata_types.RESERVED_NAMES:
        row = clip(0, config)
        if name in row:
            continue
        with pytest.raises(InputError, match=f"'clip-000': the column name '{name}' is reserved"):
            examples([{**row, name: "x"}], config)
        with pytest.raises(InputError, match=f"'clip-000': the column name '{name}' is reserved"):
            write([{**row, name: "x"}], tmp_path / "features", config, overwrite=True)


def test_names_of_columns_are_texts(config):
    with pytest.raises(ArgumentError, match=r"types must have texts as the names of columns. Received: 5 \(int\)"):
        beam.ToExamples(config, {5: "int"})
