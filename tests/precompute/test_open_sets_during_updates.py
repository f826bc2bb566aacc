"""Readers of a feature set that is updated while they read: they finish with the records that they began with."""

import pickle

import numpy as np
import pytest
from corpora import CONFIG, Corpus

from audiopipe import FeatureSet, beam, load

IDS = [f"c{number}" for number in range(6)]


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for number, name in enumerate(IDS):
        made.put(name, number, take=number)
    return made


@pytest.fixture
def output(corpus, tmp_path):
    return beam.precompute(corpus.write(), tmp_path / "features", CONFIG, num_shards=3).path


def updated(corpus, output):
    """Changes every clip but one, removes one and adds one. So no shard stays as it was."""
    for number, name in enumerate(IDS[2:]):
        corpus.put(name, 100 + number, take=-5)
    corpus.rows["c0"]["take"] = 70
    corpus.remove("c1")
    corpus.put("new", 9, take=9)
    return beam.precompute(corpus.write(), output, CONFIG, update=True)


def contents(elements):
    """Returns the features and the takes of elements by id."""
    return {
        str(np.asarray(element["id"]).astype(str)): (element["feature"].tobytes(), int(element["take"]))
        for element in elements
    }


@pytest.mark.faults
def test_iterations_that_have_begun_and_sets_that_are_open_keep_the_old_records(corpus, output):
    before = contents(load(output).as_numpy_iterator())
    sets = FeatureSet(output)
    view = sets.where(lambda clip: clip["id"] != "c1")
    pickled = pickle.dumps(view)
    whole = load(output)
    begun = {
        "whole": (whole.as_numpy_iterator(), IDS),
        "shuffled": (load(output, shuffle=True).as_numpy_iterator(), IDS),
        "view": (load(view).as_numpy_iterator(), view.ids),
        "NumPy": (iter(sets), IDS),
    }
    read = {name: [next(elements)] for name, (elements, _) in begun.items()}
    after = contents(updated(corpus, output))
    for name, (elements, ids) in begun.items():
        assert contents([*read[name], *elements]) == {clip_id: before[clip_id] for clip_id in ids}, name
    assert contents(whole.as_numpy_iterator()) == before  # another epoch
    for old in (view, pickle.loads(pickled)):
        expected = {clip_id: before[clip_id] for clip_id in view.ids}
        assert contents(load(old, check=True).as_numpy_iterator()) == expected
        assert contents(load(old, shuffle=True).as_numpy_iterator()) == expected
    assert contents(load(sets).as_numpy_iterator()) == before
    assert after.keys() == {*IDS, "new"} - {"c1"}
    assert all(after[name] != before[name] for name in after.keys() & before.keys())
    assert contents(load(output).as_numpy_iterator()) == after
    joined = load([view.select(["c3"]), FeatureSet(output).select(["c4"])])
    assert contents(joined.as_numpy_iterator()) == {"c3": before["c3"], "c4": after["c4"]}
