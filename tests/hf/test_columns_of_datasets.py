"""Lists, class names and missing integers between datasets and feature sets."""

import json

import datasets
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from datasets import ClassLabel, Dataset, Features, LargeList, List, Value
from feature_rows import CONFIG, feature_rows

from audiopipe import beam, hf, load
from audiopipe.errors import FeatureSetError, InputError, MetadataRemark
from audiopipe.feature_sets.description import Description

pytestmark = pytest.mark.usefixtures("quiet_bars")

LABEL = ClassLabel(names=["dog", "cat", "Zoë"])
TYPES = {
    "label": LABEL,
    "labels": List(LABEL),
    "hot": List(Value("int64"), length=2),
    "large": LargeList(Value("int16")),
    "onsets": List(Value("float64")),
    "tags": List(Value("string")),
    "flags": List(Value("bool")),
    "age": Value("int32"),
    "take": Value("int64"),
}
VALUES = {
    "label": [2, 0, None, 1],
    "labels": [[0, 2], [], None, [1]],
    "hot": [[0, 1], [1, 0], None, [1, 1]],
    "large": [[1], None, [], [2, 3]],
    "onsets": [[0.5], [], None, [1e-300, 2.0]],
    "tags": [["é", ""], None, [], ["x"]],
    "flags": [None, [], [True], [False, True]],
    "age": [31, None, -1, 5],
    "take": [2**62 + 1, None, 0, 3],
}
FILL_VALUES = {"age": -2, "label": -1, "take": -1}


def restored(path, folder):
    return hf.from_feature_set(path, CONFIG, cache_dir=folder)


def same_values(rows, names=VALUES):
    assert {name: list(rows[name]) for name in names} == {name: VALUES[name] for name in names}


def test_a_round_trip_keeps_lists_classes_and_missing_values(tmp_path):
    with pytest.warns(MetadataRemark) as remarks:
        made = hf.to_feature_set(feature_rows(TYPES, **VALUES), tmp_path / "set")
    assert sorted(str(remark.message) for remark in remarks) == [
        "The column 'age' has missing integers, which are stored as -2.",
        "The column 'label' has missing classes, which are stored as -1.",
        "The column 'take' has missing integers, which are stored as -1.",
    ]
    assert {remark.filename for remark in remarks} == {__file__}
    names = ["dog", "cat", "Zoë"]
    assert (made.classes, made.fill_values) == ({"label": names, "labels": names}, FILL_VALUES)
    assert json.loads((tmp_path / "set/dataset.json").read_text())["classes"]["label"] == names
    back = restored(made.path, tmp_path)
    same_values(back)
    expected = {
        "label": LABEL,
        "labels": List(LABEL),
        "hot": List(Value("int64")),
        "large": List(Value("int64")),
        "onsets": List(Value("float64")),
        "tags": List(Value("string")),
        "flags": List(Value("bool")),
        "age": Value("int64"),
        "take": Value("int64"),
    }
    assert {name: back.features[name] for name in VALUES} == expected


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")
def test_load_gives_positions_of_classes_and_fill_values(tmp_path):
    made = hf.to_feature_set(feature_rows(TYPES, **VALUES), tmp_path / "set")
    elements = list(load(made.path).as_numpy_iterator())
    for name, fill_value in FILL_VALUES.items():
        expected = [fill_value if value is None else value for value in VALUES[name]]
        assert [element[name].item() for element in elements] == expected
    assert [element["labels"].tolist() for element in elements] == [[0, 2], [], [], [1]]
    assert [element["labels_length"].item() for element in elements] == [2, 0, -1, 1]


def test_minus_one_of_a_class_label_stays_unless_classes_are_missing_too(tmp_path):
    made = hf.to_feature_set(feature_rows({"label": LABEL}, label=[-1, 2]), tmp_path / "set")
    assert made.fill_values == {}
    assert list(restored(made.path, tmp_path)["label"]) == [-1, 2]
    with pytest.warns(MetadataRemark, match="'label' has missing classes, which are stored as -1"):
        made = hf.to_feature_set(feature_rows({"label": LABEL}, label=[-1, 2, None]), tmp_path / "mixed")
    assert list(restored(made.path, tmp_path)["label"]) == [None, 2, None]


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")
def test_columns_without_any_value_keep_their_type(tmp_path):
    types = {"n": Value("int8"), "label": LABEL, "labels": List(LABEL), "x": Value("float32"), "e": List(Value("bool"))}
    values = {"n": [None] * 2, "label": [None] * 2, "labels": [None, []], "x": [None] * 2, "e": [[], []]}
    made = hf.to_feature_set(feature_rows(types, **values), tmp_path / "set")
    kinds = {"n": "int", "label": "int", "labels": "list<int>", "x": "float", "e": "list<bool>"}
    assert made.schema == kinds
    back = restored(made.path, tmp_path)
    assert back.features["labels"] == List(LABEL)
    assert {name: list(back[name]) for name in ("n", "label", "labels", "e")} == {
        name: value for name, value in values.items() if name != "x"
    }
    assert np.isnan(list(back["x"])).all()


def encoded(folder):
    """Returns rows with encoded audio and the metadata, without what Arrow cannot read from Parquet."""
    soundfile.write(folder / "clip.wav", np.linspace(-0.5, 0.5, 800), 8000)
    audio = {"bytes": (folder / "clip.wav").read_bytes(), "path": None}
    types = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, **TYPES})
    return Dataset.from_dict({"audio": [audio] * 4, **VALUES}, features=types).remove_columns("hot")


@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_precompute_keeps_what_tables_declare(tmp_path, kind):
    rows = encoded(tmp_path)
    path = tmp_path / ("rows.parquet" if kind == "parquet" else "rows")
    rows.to_parquet(path) if kind == "parquet" else rows.save_to_disk(path)
    made = beam.precompute(path, tmp_path / "set", CONFIG, num_shards=2)
    assert Description.open(made.path).classes == {"label": LABEL.names, "labels": LABEL.names}
    assert made.fill_values == FILL_VALUES
    same_values(restored(made.path, tmp_path), VALUES.keys() - {"hot"})


def test_classes_of_a_plain_parquet_file_are_integers(tmp_path):
    table = encoded(tmp_path).with_format("arrow")[:].replace_schema_metadata(None)
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    made = beam.precompute(tmp_path / "rows.parquet", tmp_path / "set", CONFIG)
    assert (made.classes, made.schema["label"], made.schema["labels"]) == ({}, "int", "list<int>")


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (List(List(Value("int64"))), [[[1]], [[2]]], "Row 0: a list must not contain lists"),
        (List({"a": Value("int64")}), [[{"a": 1}], []], "Row 0: a list must not contain objects.*x_a="),
        (List(Value("int64")), [[1], [2, None]], "Row 1: a list must not contain missing values"),
        (List(Value("timestamp[s]")), [[1], []], "Row 0: lists must contain text, numbers or booleans"),
        (Value("bool"), [True, None], "'x' with missing values"),
    ],
)
def test_other_columns_are_refused_with_their_row(tmp_path, kind, values, message):
    with pytest.raises(InputError, match=message):
        hf.to_feature_set(feature_rows({"x": kind}, x=values), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_text_in_lists_that_is_not_utf8_is_refused_by_name(tmp_path):
    (tmp_path / "clip.wav").write_bytes(b"")
    soundfile.write(tmp_path / "clip.wav", np.linspace(-0.5, 0.5, 800), 8000)
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": "clip.wav", "tags": ["caf\udce9"]}))
    made = beam.precompute(tmp_path / "m.jsonl", tmp_path / "set", CONFIG)
    assert [element["tags"].tolist() for element in load(made.path).as_numpy_iterator()] == [[b"caf\xe9"]]
    with pytest.raises(FeatureSetError, match=r"must be UTF-8. Received: the column 'tags' b'caf\\xe9'"):
        restored(made.path, tmp_path)


def test_a_dataset_restored_from_a_feature_set_is_read_by_datasets_alone(tmp_path):
    made = hf.to_feature_set(feature_rows({"label": LABEL}, label=[2, 0]), tmp_path / "set")
    restored(made.path, tmp_path).to_parquet(tmp_path / "rows.parquet")
    again = datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))
    assert again.features["label"] == LABEL
    assert again.features["label"].int2str(again["label"]) == ["Zoë", "dog"]
