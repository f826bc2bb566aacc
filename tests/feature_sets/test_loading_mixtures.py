"""`load` with weights and with balanced columns: draws with these probabilities, in random orders of each source."""

import itertools
from collections import Counter

import numpy as np
import pytest
import synthetic_sets
from hypothesis import given
from hypothesis import strategies as st
from synthetic_sets import feature

from audiopipe import FeatureSet, load
from audiopipe.errors import ArgumentError, FeatureSetError
from audiopipe.feature_sets.weighted_draws import SMALL_SOURCE, WeightedDraws
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(types={"label": "int", "gain": "float"}, classes={"label": ["cat", "dog", "owl"]})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    path = tmp_path_factory.mktemp("mixtures")
    for name, size in (("a", 150), ("b", 30)):
        clips = {
            f"{name}{number:03}": (feature(2), {"label": "cat" if number < 20 else "dog", "gain": 0.5})
            for number in range(size)
        }
        synthetic_sets.write(path / name, clips, columns=COLUMNS)
    return [path / "a", path / "b"]


def ids(dataset):
    return [element["id"].decode() for element in dataset.as_numpy_iterator()]


def test_weights_are_the_probabilities_of_the_items(folders):
    dataset = load(folders, weights=[1, 3], seed=4, columns=[])
    assert dataset.cardinality() == 180
    first, second = ids(dataset), ids(dataset)
    assert len(first) == 180
    assert first != second
    assert (
        ids(load([FeatureSet(folder) for folder in folders], weights=np.array([0.25, 0.75]), seed=4, columns=[]))
        == first
    )
    counts = Counter(name[0] for name in first + second)
    assert 240 < counts["b"] < 300  # 270 are expected
    from_a = [name for name in first if name[0] == "a"]
    assert len(set(from_a)) == len(from_a)
    passes = [name for name in first if name[0] == "b"]
    for start in range(0, len(passes), 30):
        part = passes[start : start + 30]
        assert len(set(part)) == len(part)
    assert passes[:30] != passes[30:60]


def test_an_item_without_clips_must_have_the_weight_0(folders):
    with pytest.raises(ArgumentError, match="An item without clips must have the weight 0"):
        load([*folders, FeatureSet(folders[0])[:0]], weights=[0, 2, 1])


def test_views_of_one_set_may_have_clips_in_common_and_those_of_weight_0_are_never_drawn(folders):
    first, second = map(FeatureSet, folders)
    items = [FeatureSet([second[::-1], first[:4]]), first[2:6], first[2:3], folders[1], first[:0]]
    weights = [0, 1, 3, 0, 0]
    dataset = load(items, weights=weights, seed=0, columns=["label"])
    found = list(dataset.repeat(3).as_numpy_iterator())
    assert dataset.cardinality() == 34 + 4 + 1 + 30
    assert len(found) == 3 * dataset.cardinality()
    counts = Counter(element["id"].decode() for element in found)
    assert counts.keys() == {"a002", "a003", "a004", "a005"}
    assert counts["a002"] > 0.7 * len(found)  # 13 / 16 are expected
    assert (
        load([first.shard(0, 2), first], weights=[1, 1]).options().experimental_distribute.auto_shard_policy.value == -1
    )
    with pytest.raises(FeatureSetError, match="different ids"):
        load([first, first])


def test_a_balanced_column_has_equally_many_draws_of_each_value(folders):
    found = ids(load(FeatureSet(folders), balance="label", seed=1, columns=[]))
    sets = FeatureSet(folders)
    cats = set(sets.where(label="cat").ids)
    assert 60 < sum(name in cats for name in found) < 120
    assert len(found) == 180
    assert load(folders[0], balance="gain").cardinality() == 150


@given(
    sizes=st.lists(st.integers(0, 3 * SMALL_SOURCE), min_size=1, max_size=4),
    weights=st.lists(st.floats(0, 10), min_size=4, max_size=4),
    number=st.integers(-(2**63), 2**63 - 1),
    cuts=st.lists(st.integers(0, 300), max_size=3),
)
def test_draws_do_not_depend_on_how_they_are_cut_into_chunks(sizes, weights, number, cuts):
    weights = [weight if size else 0.0 for weight, size in zip(weights, sizes, strict=False)]
    if not sum(weights):
        return
    draws, numbers = WeightedDraws(weights, sizes), np.array([number, number], np.int64)
    none = np.zeros(len(sizes), np.int64)
    expected = draws.draw(numbers, none, np.arange(300))
    taken, parts = none, []
    for first, stop in itertools.pairwise([0, *sorted(cuts), 300]):
        taken, *found = draws.draw(numbers, taken, np.arange(first, stop))
        parts.append(found)
    np.testing.assert_array_equal(taken, expected[0])
    np.testing.assert_array_equal(np.concatenate([places for places, _ in parts], axis=1), expected[1])
    np.testing.assert_array_equal(np.concatenate([seeds for _, seeds in parts]), expected[2])
    firsts, found_sizes, places = expected[1]
    assert (places < found_sizes).all()
    for first, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        if 0 < size <= SMALL_SOURCE:
            drawn = places[(firsts == first) & (found_sizes == size)]
            for start in range(0, len(drawn), size):
                assert len(set(drawn[start : start + size])) == len(drawn[start : start + size])
