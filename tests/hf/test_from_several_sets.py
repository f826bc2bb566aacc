"""`hf.from_feature_set` of views and of several feature sets."""

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import feature

from audiopipe import FeatureSet, fingerprint_of, hf
from audiopipe.errors import FeatureSetError
from audiopipe.inputs.columns import Columns

pytestmark = pytest.mark.usefixtures("quiet_bars")

FIRST = Columns(
    types={"label": "int", "take": "int", "tags": "list<string>"}, classes={"label": ["cat", "dog"]}, fill_values={}
)
SECOND = Columns(
    types={"label": "int", "take": "int", "labels": "list<int>", "day": "int"},
    classes={"label": ["cow", "dog"], "labels": ["rain"]},
    fill_values={"take": -1, "label": -1},
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    clips = {
        "a": (feature(3, seed=1), {"label": "dog", "take": -1, "tags": ["x"]}),
        "b": (feature(4, seed=2), {"label": "cat", "take": 2, "tags": None}),
    }
    synthetic_sets.write(root / "first", clips, columns=FIRST)
    clips = {
        "c": (feature(5, seed=3), {"label": "dog", "take": None, "labels": ["rain"], "day": -1}),
        "d": (feature(6, seed=4), {"label": None, "take": 5, "labels": [], "day": 2}),
    }
    synthetic_sets.write(root / "second", clips, columns=SECOND, shards=1)
    return [root / "first", root / "second"]


def assert_same(rows, sets):
    """Asserts that rows have the values of a feature set, with null for missing ones."""
    assert rows.column_names == ["id", "feature", "n_frames", "feature_digest", *sets.schema]
    for row, clip in zip(rows.with_format("numpy").select_columns("feature"), sets, strict=True):
        np.testing.assert_array_equal(row["feature"], clip["feature"][..., 0])
    for row, clip in zip(rows.remove_columns(["feature", "feature_digest"]), sets, strict=True):
        assert row == {name: value for name, value in clip.items() if name != "feature"}


def test_several_sets_and_views_become_rows_with_nulls_and_class_names(folders, tmp_path):
    sets = FeatureSet(folders, prefix=["x/", ""])
    sources = {
        "list": (folders, FeatureSet(folders)),
        "prefixes": (sets, sets),
        "view": (sets.select([3, 0, 1]), sets.select([3, 0, 1])),
        "part of one": (FeatureSet(folders[1])[1:], FeatureSet(folders[1])[1:]),
        "list of a view": ([sets[:1], folders[1]], FeatureSet([sets[:1], folders[1]])),
    }
    for source, expected in sources.values():
        rows = hf.from_feature_set(source, sets.config, cache_dir=tmp_path)
        assert_same(rows, expected)
        assert fingerprint_of(rows) == fingerprint_of(expected)
        assert rows.features["label"].names == expected.class_names("label")
    assert hf.from_feature_set(folders, cache_dir=tmp_path).features["label"].names == ["cat", "dog", "cow"]


def test_each_view_is_converted_once(folders, tmp_path):
    def files_of(source):
        [file] = hf.from_feature_set(source, cache_dir=tmp_path).cache_files
        return file["filename"]

    sets = FeatureSet(folders[0])
    assert files_of(sets) == files_of(folders[0]) == files_of([folders[0]]) == files_of(sets[0:2])
    assert files_of(sets.where(take=2)) == files_of(sets[1:]) != files_of(sets[:1])
    different = [folders[0], folders, FeatureSet(folders[0], prefix=["x"]), FeatureSet(folders, prefix=["x", ""])]
    assert len(set(map(files_of, different))) == 4


def test_sets_that_cannot_be_joined_are_refused(folders, tmp_path):
    with pytest.raises(FeatureSetError, match="the id"):
        hf.from_feature_set([folders[0], folders[0]], cache_dir=tmp_path)
