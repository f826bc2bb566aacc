"""Lists, classes and missing values from a manifest to the tensors of `load`."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from planning import write_shard, written

from audiopipe import beam, configs, inputs, load, tfdata
from audiopipe.errors import InputError, MetadataRemark
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import completion
from audiopipe.transform.segments import Segments

CONFIG = configs.StftMagnitude(sample_rate=8000, n_fft=64, hop_length=32, input_data_format="channels_last")
ROWS = [
    {"labels": [0, 1, 1], "onsets": [0, 1.5], "tags": ["Zoë", ""], "flags": [True, False], "age": 31},
    {"labels": [], "onsets": [], "tags": [], "flags": [], "age": -1},
    {"labels": None, "onsets": None, "tags": None, "flags": None, "age": None},
    {"labels": [-(2**63), 2**63 - 1], "onsets": [1e-300, float("nan")], "tags": ["a"], "flags": [False]},
]
TYPES = {"age": "int", "flags": "list<bool>", "labels": "list<int>", "onsets": "list<float>", "tags": "list<string>"}
LENGTHS = {"labels": [3, 0, -1, 2], "onsets": [2, 0, -1, 2], "tags": [2, 0, -1, 1], "flags": [2, 0, -1, 1]}


def manifest(folder, rows):
    """Writes a clip and a manifest that has it once for each row of metadata."""
    soundfile.write(folder / "clip.wav", np.linspace(-0.5, 0.5, 4000), 8000)
    lines = [json.dumps({"id": str(number), "path": "clip.wav", **row}) for number, row in enumerate(rows)]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return str(folder / "manifest.jsonl")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return manifest(tmp_path_factory.mktemp("clips"), ROWS)


@pytest.fixture(scope="module")
def made(source, tmp_path_factory):
    return beam.precompute(source, tmp_path_factory.mktemp("set") / "features", CONFIG, num_shards=2)


def described(made):
    """Returns the description of the entries of a record in `dataset.json`."""
    return json.loads((Path(made.path) / "dataset.json").read_text())["schema"]


def values(path, name):
    return [element[name] for element in load(path).as_numpy_iterator()]


def test_lists_are_tensors_of_rank_1_with_their_length_beside_them(made):
    assert made.schema == TYPES
    dtypes = {"labels": tf.int64, "onsets": tf.float64, "tags": tf.string, "flags": tf.bool}
    spec = load(made.path).element_spec
    for name, dtype in dtypes.items():
        assert spec[name] == tf.TensorSpec([None], dtype)
        assert spec[f"{name}_length"] == tf.TensorSpec([], tf.int64)
        assert [length.item() for length in values(made.path, f"{name}_length")] == LENGTHS[name]
        for found, row in zip(values(made.path, name), ROWS, strict=True):
            expected = row[name] or []
            expected = [item.encode() for item in expected] if name == "tags" else expected
            np.testing.assert_array_equal(found, np.array(expected, dtype.as_numpy_dtype), strict=True)


def test_other_readers_find_lists_and_lengths_in_the_example(made):
    paths = [f"{made.path}/{shard['name']}" for shard in made.shards]
    examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths)]
    assert described(made)["labels"] == "int64, one for each item"
    assert described(made)["labels_length"] == "int64: number of items of labels, -1 if the list is missing"
    for example, row in zip(examples, ROWS, strict=True):
        entries = example.features.feature
        assert set(entries) == set(described(made)) - ({"age"} if row.get("age") is None else set())
        assert list(entries["labels"].int64_list.value) == (row["labels"] or [])
        assert [item.decode() for item in entries["tags"].bytes_list.value] == (row["tags"] or [])
        assert list(entries["flags"].int64_list.value) == (row["flags"] or [])
        [floats] = entries["onsets"].bytes_list.value
        np.testing.assert_array_equal(np.frombuffer(floats, "<f8"), row["onsets"] or [])
        [length] = entries["labels_length"].int64_list.value
        assert length == (-1 if row["labels"] is None else len(row["labels"]))


def test_padded_batches_of_tf_data_have_the_lengths_in_a_column(made):
    dataset = load(made.path)
    padding = {**dict.fromkeys(dataset.element_spec), "labels": tf.constant(-1, tf.int64)}
    [batch] = dataset.padded_batch(4, padding_values=padding).as_numpy_iterator()
    low, high = -(2**63), 2**63 - 1
    assert batch["labels"].tolist() == [[0, 1, 1], [-1, -1, -1], [-1, -1, -1], [low, high, -1]]
    assert batch["labels_length"].tolist() == LENGTHS["labels"]


def test_a_missing_integer_stays_an_integer_that_no_other_clip_has(made):
    assert (made.schema["age"], made.fill_values) == ("int", {"age": -2})
    assert [value.item() for value in values(made.path, "age")] == [31, -1, -2, -2]
    assert Description.open(made.path).columns.notes == [
        "The column 'age' has missing integers, which are stored as -2."
    ]
    assert (
        json.loads((tf.io.gfile.GFile(f"{made.path}/dataset.json")).read())["schema"]["age"]
        == "int64; no entry if missing"
    )


def test_from_audio_gives_the_metadata_of_load(source, made):
    with pytest.warns(MetadataRemark, match="'age' has missing integers, which are stored as -2"):
        dataset = tfdata.from_audio(source, CONFIG)
    stored = load(made.path)
    names = [name for name in stored.element_spec if name not in ("feature", "n_frames")]
    assert {name: dataset.element_spec[name] for name in names} == {name: stored.element_spec[name] for name in names}
    for found, expected in zip(dataset.as_numpy_iterator(), stored.as_numpy_iterator(), strict=True):
        for name in names:
            np.testing.assert_array_equal(found[name], expected[name], strict=True)


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")
def test_segments_have_the_lists_of_their_recording(source, tmp_path):
    segments = Segments(seconds=0.25)
    made = beam.precompute(source, tmp_path / "features", CONFIG, segments=segments)
    read = tfdata.from_audio(source, CONFIG, segments=segments).as_numpy_iterator()
    for element, clip in zip(load(made.path).as_numpy_iterator(), read, strict=True):
        row = ROWS[int(element["id"].decode().partition("#")[0])]
        assert element["labels"].tolist() == clip["labels"].tolist() == (row["labels"] or [])
        assert element["labels_length"] == clip["labels_length"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1], [2]], r"line 1: a list must not contain lists. Received: labels=\[\[1\], \[2\]\]"),
        ([{"name": "dog", "at": 1}], "in columns of their own: labels_name=.*labels_at="),
        ([1, None], "must not contain missing values"),
        ([1, "a"], "must contain values of one type"),
        ({"a": 1}, "must be text, numbers, booleans, or lists of these"),
    ],
)
def test_other_structures_are_refused_before_anything_is_written(tmp_path, value, message):
    with pytest.raises(InputError, match=message):
        beam.precompute(manifest(tmp_path, [{"labels": value}]), tmp_path / "features", CONFIG)
    assert not (tmp_path / "features").exists()


def test_text_becomes_classes_in_the_records(tmp_path):
    rows = [{"label": "dog"}, {"label": "cat"}, {"label": None}, {"label": "dog"}, {"label": ""}]
    rows = [{**row, "tags": tags} for row, tags in zip(rows, [["b"], [], None, ["c", "a"], ["a"]], strict=True)]
    source = manifest(tmp_path, rows)
    options = inputs.InputOptions(class_columns=["label", "tags"])
    work = written(str(tmp_path / "features"), CONFIG, inputs.scan(source), options=options)
    assert work.schema == {"label": "int", "tags": "list<int>"}
    for shard in range(work.n_shards):
        write_shard(work, shard)
    made = Description.open(completion.finish(work).path)
    assert made.classes == {"label": ["cat", "dog"], "tags": ["a", "b", "c"]}
    assert made.fill_values == {"label": -1}
    assert [label.item() for label in values(made.path, "label")] == [1, 0, -1, 1, -1]
    assert [tags.tolist() for tags in values(made.path, "tags")] == [[1], [], [], [2, 0], [0]]
    assert [length.item() for length in values(made.path, "tags_length")] == [1, 0, -1, 2, 1]
    assert described(made)["label"] == "int64: position in the classes of label; no entry if missing"
    assert described(made)["tags"] == "int64, one for each item: position in the classes of tags, -1 if missing"


def test_arrays_and_numbers_of_numpy_are_planned_as_lists_and_numbers(source, tmp_path):
    [clip, *_] = inputs.scan(source)
    metadata = {"labels": np.arange(3), "onsets": np.float32([0.5]), "age": np.int16(3), "gain": np.float32(2)}
    work = written(str(tmp_path / "features"), CONFIG, [dataclasses.replace(clip, metadata=metadata)])
    write_shard(work, 0)
    [element] = load(completion.finish(work).path).as_numpy_iterator()
    assert (element["labels"].tolist(), element["onsets"].tolist()) == ([0, 1, 2], [0.5])
    assert (element["age"].item(), element["gain"].item()) == (3, 2.0)
