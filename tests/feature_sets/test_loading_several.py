"""`load` of several feature sets as one dataset."""

import dataclasses
import math
import shutil

import damage
import fsspec
import numpy as np
import pytest
import synthetic_sets
import tensorflow as tf
from synthetic_sets import CONFIG, feature

from audiopipe import FeatureSet, load, merge
from audiopipe.errors import (
    ArgumentError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    InputError,
    MachineWarning,
)
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import MISSING_LIST, Columns

FIRST = Columns(
    types={"speaker": "string", "label": "int", "labels": "list<int>", "take": "int", "tags": "list<string>"},
    classes={"label": ["cat", "dog"], "labels": ["rain"]},
    fill_values={"label": -1, "take": -1},
)
SECOND = Columns(
    types={"label": "int", "labels": "list<int>", "gain": "float", "take": "int", "tags_length": "int"},
    classes={"label": ["cow", "dog", "cat"], "labels": ["car", "rain"]},
    fill_values={"label": -1},
)
CLIPS = {
    "a": {"speaker": "Bo", "label": "dog", "labels": ["rain"], "take": 1, "tags": ["x", "y"]},
    "b": {"speaker": None, "label": None, "labels": None, "take": None, "tags": None},
    "c": {"label": "dog", "labels": ["car", "rain"], "gain": 0.5, "take": -1, "tags_length": 7},
    "d": {"label": "cow", "labels": [], "gain": None, "take": -9, "tags_length": -1},
    "e": {"label": None, "labels": ["rain"], "gain": 1.0, "take": 5, "tags_length": 0},
}
FILL_VALUES = {"label": -1, "take": -10, "tags_length": -2}  # -1 is a real value of `take` and of `tags_length`


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    clips = {name: (feature(5 + number, seed=number), CLIPS[name]) for number, name in enumerate(CLIPS)}
    synthetic_sets.write(root / "first", {name: clips[name] for name in "ab"}, columns=FIRST)
    synthetic_sets.write(root / "second", {name: clips[name] for name in "cde"}, columns=SECOND, shards=2)
    return [root / "first", root / "second"]


def elements(dataset):
    return {element["id"].decode(): element for element in dataset.as_numpy_iterator()}


def plain(element, sets):
    """Returns the metadata of an element as `FeatureSet` gives it: None for missing values, and text as `str`."""
    found = {}
    for name in sets.schema:
        value, length = element[name], element.get(sets.columns.lengths.get(name))
        if length is not None:
            assert len(value) == max(length, 0)
            found[name] = None if length == MISSING_LIST else [_plain(item) for item in value.tolist()]
        else:
            value = _plain(value if isinstance(value, bytes) else value.item())
            missing = value == "" or value == sets.fill_values.get(name) or value != value
            found[name] = None if missing else value
    return found


def _plain(value):
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.cases(1)
@pytest.mark.parametrize("shuffle", [False, True])
def test_joined_sets_have_the_values_of_feature_set(folders, shuffle):
    sets = FeatureSet(folders)
    assert sets.fill_values == FILL_VALUES
    for source in (folders, list(map(str, folders)), [FeatureSet(folders[0]), folders[1]], sets):
        dataset = load(source, CONFIG, shuffle=shuffle, seed=1)
        assert dataset.cardinality().numpy() == 5
        found = elements(dataset)
        assert (list(found) == list(CLIPS)) != shuffle
        for clip in sets:
            element = found[clip["id"]]
            np.testing.assert_array_equal(element["feature"], clip.pop("feature"))
            assert {"id": clip["id"], "n_frames": int(element["n_frames"]), **plain(element, sets)} == clip
    assert sets.columns.lengths == {"labels": "labels_length", "tags": "tags_length_"}


def test_what_a_set_lacks_has_the_documented_value(folders):
    found = elements(load(folders))
    assert found["a"]["label"] == 1  # dog
    assert found["c"]["label"] == 1
    assert found["d"]["label"] == 2  # cow, which is appended
    assert found["b"]["label"] == found["e"]["label"] == -1
    np.testing.assert_array_equal(found["c"]["labels"], [1, 0])  # car, rain
    assert math.isnan(found["a"]["gain"])
    assert found["c"]["speaker"] == b""
    assert (found["b"]["take"], found["c"]["take"], found["a"]["tags_length"]) == (-10, -1, -2)
    np.testing.assert_array_equal(found["e"]["tags"], [])
    assert (found["e"]["tags_length_"], found["d"]["labels_length"], found["b"]["labels_length"]) == (-1, 0, -1)


def test_a_joined_set_has_the_elements_of_its_sets(folders):
    found = elements(load(folders))
    for folder, changed in zip(folders, ({"take"}, {"label", "labels"}), strict=True):
        for name, element in elements(load(folder)).items():
            for column in element.keys() - changed - {"tags_length"}:
                np.testing.assert_array_equal(found[name][column], element[column], strict=True)


def test_views_of_several_sets_are_joined(folders):
    whole = elements(load(folders))
    first, second = map(FeatureSet, folders)
    for source, expected in (
        ([first.where(label="dog"), second.select([2, 0])], "aec"),
        (FeatureSet(folders).select([4, 1, 2]), "ebc"),
        ([second[1:], second[:1]], "dec"),
        ([FeatureSet(folders)[3:], folders[0]], "deab"),
    ):
        dataset = load(source)
        assert dataset.cardinality().numpy() == len(expected)
        found = elements(dataset)
        assert list(found) == list(expected)
        sets = source if isinstance(source, FeatureSet) else FeatureSet(source)
        assert sets.ids == list(expected)
        assert [sets.find(name) for name in expected] == list(range(len(expected)))
        for name, element in found.items():
            np.testing.assert_array_equal(element["feature"], whole[name]["feature"], strict=True)


def test_equal_ids_are_refused_and_prefixes_make_them_different(folders):
    first = FeatureSet(folders[0])
    for source in ([folders[0], folders[0]], [first, first], [first[:1], folders[0]]):
        with pytest.raises(
            FeatureSetError, match=r"the id '[ab]' .* such as FeatureSet\(\[\.\.\.\], prefix=\['0/', '1/'"
        ):
            load(source)
    sets = FeatureSet([first, first[1:]], prefix=["x/", "y/"])
    assert list(elements(load(sets))) == sets.ids == ["x/a", "x/b", "y/b"]
    assert list(elements(load(sets.where(label=None)))) == ["x/b", "y/b"]
    assert list(elements(load(FeatureSet([sets[2:], folders[1]], prefix=["z-", ""])))) == ["z-y/b", "c", "d", "e"]


def test_a_view_can_leave_out_a_clip_that_another_set_has(folders, tmp_path):
    synthetic_sets.write(tmp_path / "corrected", {"a": feature(9)}, shards=1)
    first = FeatureSet(folders[0])
    sets = FeatureSet([first.where(lambda clip: clip["id"] != "a"), tmp_path / "corrected"])
    assert (sets.ids, sets.find("a"), sets["a"]["n_frames"]) == (["b", "a"], 1, 9)
    assert elements(load(sets))["a"]["n_frames"] == 9


def test_sets_that_do_not_fit_are_refused_with_the_difference(folders, tmp_path):
    other = dataclasses.replace(CONFIG, hop_length=200)
    synthetic_sets.write(tmp_path / "other", {"x": feature(3)}, other)
    with pytest.raises(ConfigMismatchError, match="hop_length: 160 != 200"):
        load([folders[0], tmp_path / "other"])
    with pytest.raises(ConfigMismatchError, match="hop_length: 200 != 160"):
        load(folders, tmp_path / "other")
    synthetic_sets.write(tmp_path / "half", {"x": feature(3)}, dtype="float16")
    with pytest.raises(FeatureSetError, match=r"float32 in .* and float16 in"):
        load([folders[0], tmp_path / "half"])
    for wrong in ([], 3, [3], [folders[0], None], {"a": 1}):
        for weights in (None, [1.0]):
            with pytest.raises(ArgumentError, match=r"^sets must be a folder, .* Received: sets="):
                load(wrong, weights=weights)


def test_a_boolean_that_a_set_lacks_is_refused_with_advice(folders, tmp_path):
    columns = Columns(types={"clean": "bool"})
    synthetic_sets.write(tmp_path / "clean", {"x": (feature(3), {"clean": True})}, columns=columns, shards=1)
    both = FeatureSet([folders[0], tmp_path / "clean"])
    with pytest.raises(FeatureSetError, match=r"'clean' in '.*clean', but not in '.*first'\. Add it to the input"):
        load(both)
    assert list(elements(load(both.where(clean=[True, False])))) == ["x"]
    assert [clip["clean"] for clip in both] == [None, None, True]


def test_a_missing_boolean_of_a_merged_set_is_an_error_that_names_the_column(folders, tmp_path):
    columns = Columns(types={"clean": "bool"})
    synthetic_sets.write(tmp_path / "clean", {"x": (feature(3), {"clean": True})}, columns=columns, shards=1)
    merged = merge([folders[0], tmp_path / "clean"], tmp_path / "merged")
    assert [clip["clean"] for clip in merged] == [None, None, True]
    with pytest.raises(tf.errors.InvalidArgumentError, match="lacks a boolean of the columns clean"):
        elements(load(merged))
    assert list(elements(load(merged.where(clean=True)))) == ["x"]


def test_every_set_is_checked_and_warned_of(folders, tmp_path):
    copies = []
    for folder, name in zip(folders, ("other machine", "damaged"), strict=True):
        copies.append(tmp_path / name)
        fsspec.filesystem("file").put(str(folder), str(copies[-1]), recursive=True)
    machine = {"versions": {"tensorflow": "1.0"}, "cpu_family": "x", "onednn": True}
    dataclasses.replace(Description.open(copies[0]), machines=[machine]).write()
    with pytest.warns(MachineWarning, match="other machine") as caught:
        load(copies)
    assert [warning.filename for warning in caught] == [__file__]
    shard = copies[1] / "features-00000001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    load(copies)
    with pytest.raises(
        CorruptFeatureSetError, match=r"damaged.*features-00000001.tfrecord.* does not have the checksum"
    ):
        load(copies, check=True)


@pytest.mark.cases(1)
@pytest.mark.parametrize("shuffle", [False, True])
def test_remote_sets_are_joined_with_local_ones(folders, shuffle):
    for folder in folders:
        fsspec.filesystem("memory").put(str(folder), f"/joined/{folder.name}", recursive=True)
    remote = ["memory://joined/first", "memory://joined/second"]
    expected = elements(load(folders))
    for source in (remote, [remote[0], folders[1]]):
        dataset = load(source, shuffle=shuffle)
        for _ in range(2):
            found = elements(dataset)
            assert found.keys() == expected.keys()
            for name, element in expected.items():
                np.testing.assert_array_equal(found[name]["feature"], element["feature"])


def test_a_set_of_format_1_is_joined_with_a_new_one(tmp_path):
    old = tmp_path / "old"
    shutil.copytree("tests/data/v0.1/features", old)
    ages = {name: int(element["age"]) for name, element in elements(load(old)).items()}
    stored = ages["mono"]  # stands for a missing value from now on
    damage.edit(old, lambda content: content.update(fill_values={"age": stored}))
    columns = Columns(types={"age": "int", "clean": "bool", "day": "int"})
    metadata = {"age": stored, "clean": True, "day": 3}
    description = Description.open(old)
    values = np.zeros((4, 20, 1), np.float32)
    synthetic_sets.write(tmp_path / "new", {"x": (values, metadata)}, description.config, columns, 1)
    sets = FeatureSet([old, tmp_path / "new"])
    for source in (sets, sets.select([0, 1, 2, 3])):
        found = elements(load(source))
        assert list(found) == [*ages, "x"]
        for name, element in elements(load(old)).items():
            np.testing.assert_array_equal(found[name]["feature"], element["feature"])
            assert found[name]["age"] == (-1 if ages[name] == stored else ages[name])
            assert (found[name]["note"], found[name]["day"]) == (element["note"], -1)
        assert (found["x"]["age"], found["x"]["note"], found["x"]["day"]) == (stored, b"", 3)


@pytest.mark.cases(1)
@pytest.mark.parametrize("arguments", [{}, {"shuffle": True}, {"crop_frames": 2}], ids=["in order", "shuffle", "crops"])
def test_swapped_shards_of_one_of_several_sets_are_named(folders, tmp_path, arguments):
    clips = {name: (feature(5, seed=number), CLIPS["c"]) for number, name in enumerate("xy")}
    synthetic_sets.write(tmp_path / "swapped", clips, columns=SECOND, shards=2)
    dataset = load([folders[0], tmp_path / "swapped"], **arguments)
    assert set(elements(dataset)) == {"a", "b", "x", "y"}
    first, second = sorted((tmp_path / "swapped").glob("*.tfrecord"))
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    message = r"Record 0 of the shard .*swapped.features-0000000[01].tfrecord belongs to another place"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        elements(dataset)


def test_no_integer_is_left_for_missing_ones(tmp_path):
    columns = Columns(types={"take": "int"})
    takes = {"low": -(2**63), "high": 2**63 - 1, "one": -1}
    clips = {name: (feature(3), {"take": take}) for name, take in takes.items()}
    synthetic_sets.write(tmp_path / "full", clips, columns=columns)
    synthetic_sets.write(tmp_path / "lacking", {"x": feature(3)}, shards=1)
    with pytest.raises(InputError, match="no integer of 64 bits is left"):
        load([tmp_path / "full", tmp_path / "lacking"])
