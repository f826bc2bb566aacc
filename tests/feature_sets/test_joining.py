"""Several feature sets as one."""

import dataclasses

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import CONFIG, feature

from audiopipe import FeatureSet
from audiopipe.errors import ArgumentError, ConfigMismatchError, FeatureSetError
from audiopipe.inputs.columns import Columns

FIRST = Columns(
    types={"speaker": "string", "label": "int", "labels": "list<int>", "take": "int"},
    classes={"label": ["cat", "dog"], "labels": ["rain"]},
    fill_values={"label": -1},
)
SECOND = Columns(
    types={"label": "int", "labels": "list<int>", "gain": "float"},
    classes={"label": ["cow", "dog", "cat"], "labels": ["car", "rain"]},
    fill_values={"label": -1},
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("joined")
    clips = {
        "a": (feature(5, seed=1), {"speaker": "Bo", "label": "dog", "labels": ["rain"], "take": 1}),
        "b": (feature(6, seed=2), {"speaker": None, "label": None, "labels": None, "take": 2}),
    }
    synthetic_sets.write(root / "first", clips, columns=FIRST)
    clips = {
        "c": (feature(7, seed=3), {"label": "dog", "labels": ["car", "rain"], "gain": 0.5}),
        "d": (feature(8, seed=4), {"label": "cow", "labels": [], "gain": None}),
        "e": (feature(9, seed=5), {"label": None, "labels": ["rain"], "gain": 1.0}),
    }
    synthetic_sets.write(root / "second", clips, columns=SECOND, shards=1)
    return root / "first", root / "second"


def test_joined_sets_have_all_clips_columns_and_classes(folders):
    sets = FeatureSet(folders)
    assert sets.ids == list("abcde")
    assert sets.class_names("label") == ["cat", "dog", "cow"]
    assert sets.class_names("labels") == ["rain", "car"]
    assert sets.counts["clips"] == 5
    assert sets.counts["frames"] == 35
    expected = [
        {"speaker": "Bo", "label": 1, "labels": [0], "take": 1, "gain": None},
        {"speaker": None, "label": None, "labels": None, "take": 2, "gain": None},
        {"speaker": None, "label": 1, "labels": [1, 0], "take": None, "gain": 0.5},
        {"speaker": None, "label": 2, "labels": [], "take": None, "gain": None},
        {"speaker": None, "label": None, "labels": [0], "take": None, "gain": 1.0},
    ]
    columns = ["speaker", "label", "labels", "take", "gain"]
    assert sets.metadata.select(columns).to_pylist() == expected
    for number, (clip, metadata) in enumerate(zip(sets, expected, strict=True)):
        assert {name: clip[name] for name in columns} == metadata
        np.testing.assert_array_equal(clip["feature"], feature(5 + number, seed=1 + number))
        np.testing.assert_array_equal(sets.read(clip["id"], start=2, stop=4), clip["feature"][2:4])
    assert sets.where(label="dog").ids == ["a", "c"]
    assert sets.where(labels="car").ids == ["c"]
    assert sets.where(gain=None).ids == ["a", "b", "d"]
    assert sets[::-2].ids == ["e", "c", "a"]
    assert [clip["id"] for clip in sets[::-2]] == ["e", "c", "a"]


def test_a_group_is_in_one_part_of_joined_sets(folders):
    parts = FeatureSet(folders).split({"x": 0.5, "y": 0.5}, by="label")
    one = FeatureSet(folders[1]).split({"x": 0.5, "y": 0.5}, by="label")
    for name, part in parts.items():
        assert set(one[name].ids) == set(part.ids) & set("cde")


def test_a_pickle_of_joined_sets_keeps_prefixes_and_rows(folders):
    import pickle

    view = FeatureSet(folders, prefix=["x/", ""]).select(["x/b", "e"])
    copy = pickle.loads(pickle.dumps(view))
    assert copy.ids == ["x/b", "e"]
    assert [clip["id"] for clip in copy] == ["x/b", "e"]


def test_equal_ids_are_refused_unless_prefixes_make_them_different(folders):
    first = folders[0]
    for prefix in (None, ["", ""], ["x", "x"]):
        with pytest.raises(FeatureSetError, match=r"the id 'x?[ab]' in '.*first' and in '.*first'\. Pass a prefix"):
            FeatureSet([first, first], prefix=prefix)
    sets = FeatureSet([first, first], prefix=["x/", "y/"])
    assert sets.ids == ["x/a", "x/b", "y/a", "y/b"]
    assert sets["y/a"]["id"] == "y/a"
    assert sets.find("y/b") == 3
    assert sets.metadata.column("id").to_pylist() == sets.ids
    assert FeatureSet(folders, prefix={folders[1]: "second-"}).ids == ["a", "b", "second-c", "second-d", "second-e"]
    assert FeatureSet(first, prefix=["caf\udce9/"]).ids == ["caf\udce9/a", "caf\udce9/b"]
    assert "caf\udce9/b" in FeatureSet(first, prefix=["caf\udce9/"])


def test_a_prefix_can_make_ids_equal(tmp_path):
    synthetic_sets.write(tmp_path / "first", {"xa": feature(3)})
    synthetic_sets.write(tmp_path / "second", {"a": feature(3)})
    with pytest.raises(FeatureSetError, match="the id 'xa'"):
        FeatureSet([tmp_path / "first", tmp_path / "second"], prefix=["", "x"])


@pytest.mark.parametrize("prefix", [["x"], "x", {"nowhere": "x"}, [1, 2]])
def test_wrong_prefixes_are_refused(folders, prefix):
    with pytest.raises(ArgumentError, match="prefix must be a text for each of"):
        FeatureSet(folders, prefix=prefix)


def test_other_features_dtypes_and_types_are_refused_with_the_difference(tmp_path, folders):
    other = dataclasses.replace(CONFIG, hop_length=200)
    synthetic_sets.write(tmp_path / "other", {"x": feature(3)}, other)
    with pytest.raises(ConfigMismatchError, match=r"first' \(left, .*other' \(right, [^:]*:\nhop_length: 160 != 200\n"):
        FeatureSet([folders[0], tmp_path / "other"])
    synthetic_sets.write(tmp_path / "half", {"x": feature(3)}, dtype="float16")
    with pytest.raises(FeatureSetError, match=r"Received: float32 in '.*first' and float16 in '.*half'"):
        FeatureSet([folders[0], tmp_path / "half"])
    for kind, metadata in (("string", "x"), ("int", 3)):
        columns = Columns(types={"label": kind})
        synthetic_sets.write(tmp_path / kind, {"x": (feature(3), {"label": metadata})}, columns=columns)
        with pytest.raises(FeatureSetError, match=rf"'label' must have one type .*: class in '.*first' and {kind} in"):
            FeatureSet([folders[0], tmp_path / kind])
    with pytest.raises(ArgumentError, match="path must be a folder, a feature set, or a list of these"):
        FeatureSet([])


def test_what_several_sets_do_not_share_is_asked_of_each(folders):
    sets = FeatureSet(folders)
    assert [description.path for description in sets.descriptions] == sets.paths == list(map(str, folders))
    for name in ("path", "shards", "options"):
        with pytest.raises(FeatureSetError, match="Several sets have no common value"):
            getattr(sets, name)
