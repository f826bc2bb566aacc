"""Orders of `load`: every clip once per epoch, by seed, and exactly what was left after a restore."""

import itertools
import os

import fsspec
import keras
import numpy as np
import pytest
import synthetic_sets
import tensorflow as tf
from synthetic_sets import feature

from audiopipe import FeatureSet, Transform, load
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import orders, record_streams
from audiopipe.inputs.columns import Columns

SIZE = 23
COLUMNS = Columns(
    types={"speaker": "string", "tags": "list<string>", "label": "int", "start_frame": "int"},
    classes={"label": ["cat", "dog"]},
    fill_values={"start_frame": -1},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("orders") / "features"
    clips = {f"{number:02d}": (feature(2 + number, seed=number), _metadata(number)) for number in range(SIZE)}
    synthetic_sets.write(path, clips, columns=COLUMNS, shards=3)
    fsspec.filesystem("memory").put(str(path), "/orders", recursive=True)
    return path


def _metadata(number):
    return {"speaker": f"s{number % 3}", "tags": ["x"] * (number % 3), "label": ["cat", "dog"][number > 3]}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Makes blocks and chunks so small that a set has many."""
    monkeypatch.setattr(record_streams, "MOST_ROWS", 4)
    monkeypatch.setattr(orders, "CHUNK", 7)


def ids(dataset):
    return [element["id"].decode() for element in dataset.as_numpy_iterator()]


KINDS = {
    "in order": {},
    "shuffled": {"shuffle": True, "seed": 3},
    "crops": {"crop_frames": 5, "seed": 3},
    "balanced": {"balance": "label", "seed": 3},
}


@pytest.mark.parametrize(
    ("source", "alone_bytes"),
    [("folder", 1 << 17), ("view", 1), ("remote", 1 << 17)],
    ids=["folder in blocks", "view one by one", "remote in blocks"],
)
def test_a_shuffled_epoch_has_every_clip_once_with_its_values(folder, monkeypatch, source, alone_bytes):
    monkeypatch.setattr(record_streams, "ALONE_BYTES", alone_bytes)
    sets = FeatureSet("memory://orders" if source == "remote" else folder)
    wanted = sets.select([4, 20, 20, 3, 0]) if source == "view" else sets
    dataset = load(wanted if source == "view" else sets.path, shuffle=True, seed=1)
    assert dataset.cardinality() == len(wanted)
    assert dataset.element_spec == load(folder).element_spec
    epochs = [list(dataset.as_numpy_iterator()) for _ in range(2)]
    first, second = ([element["id"].decode() for element in epoch] for epoch in epochs)
    assert sorted(first) == sorted(second) == sorted(wanted.ids)
    assert len({*map(tuple, (first, second, wanted.ids))}) == 3
    for element in epochs[0]:
        clip = sets[element["id"].decode()]
        np.testing.assert_array_equal(element["feature"], clip["feature"], strict=True)
        assert (element["n_frames"], element["speaker"].decode()) == (clip["n_frames"], clip["speaker"])
        assert [tag.decode() for tag in element["tags"]] == clip["tags"]


def test_a_seed_gives_the_same_epochs_whatever_the_seed_of_tensorflow(folder):
    tf.random.set_seed(1)
    dataset = load(folder, shuffle=True, seed=7, columns=["speaker"])
    epochs = [ids(dataset) for _ in range(3)]
    tf.random.set_seed(2)
    again = load(FeatureSet(folder), shuffle=True, seed=7, columns=[]).repeat(3)
    assert ids(again) == list(itertools.chain(*epochs))
    assert len({*map(tuple, epochs)}) == 3
    assert ids(load(folder, shuffle=True, seed=8, columns=[])) not in epochs


def test_without_a_seed_the_order_follows_the_seed_of_keras(folder):
    def order():
        keras.utils.set_random_seed(5)
        return ids(load(folder, shuffle=True, columns=[]))

    first = order()
    assert order() == first
    assert ids(load(folder, shuffle=True, columns=[])) != first


def test_an_order_that_is_not_random_draws_no_random_numbers(folder):
    tf.random.set_seed(1)
    expected = tf.random.uniform([])
    tf.random.set_seed(1)
    load(folder)
    load(FeatureSet(folder)[1:])
    assert tf.random.uniform([]) == expected


@pytest.mark.parametrize(
    ("kind", "source"),
    [("in order", "memory://orders"), ("balanced", None)],
    ids=["in order, remote", "balanced, local"],
)
def test_a_restored_iterator_goes_on_with_exactly_what_was_left(folder, tmp_path, kind, source):
    """Batches go beyond the end of an epoch, and the iterator is saved between full batches of both epochs."""

    def made():
        return load(source or folder, **KINDS[kind]).repeat(2).padded_batch(3)

    iterator, saved, expected = iter(made()), {}, []
    for batch in iterator:
        expected.append(batch)
        if len(expected) in (SIZE // 6, SIZE // 2):
            saved[len(expected)] = tf.train.Checkpoint(iterator=iterator).write(tmp_path / f"{len(expected)}")
    assert sum(len(batch["id"]) for batch in expected) == 2 * SIZE
    dataset = made()
    for taken, path in saved.items():
        restored = iter(dataset)
        tf.train.Checkpoint(iterator=restored).read(path).assert_consumed()
        for found, wanted in zip(restored, expected[taken:], strict=True):
            assert found.keys() == wanted.keys()
            for name, value in wanted.items():
                np.testing.assert_array_equal(found[name].numpy(), value)


def test_a_checkpoint_of_a_shuffled_iterator_is_small(tmp_path):
    clips = {f"{number}": feature(1700, seed=number) for number in range(30)}  # of 136 kB
    synthetic_sets.write(tmp_path / "features", clips)
    iterator = iter(load(tmp_path / "features", shuffle=True))
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "saved" / "checkpoint")
    assert sum(os.path.getsize(file) for file in (tmp_path / "saved").iterdir()) < 10_000
    assert path


def test_only_the_selected_columns_are_returned(folder):
    expected = list(load(folder).as_numpy_iterator())
    backwards = FeatureSet(folder)[::-1]
    for columns, dataset, wanted in (
        (["tags", "tags_length", "label"], load(folder, columns=["tags", "label", "tags"]), expected),
        (["speaker"], load(backwards, columns=("speaker",)), expected[::-1]),
        ([], load(folder, columns=[]), expected),
    ):
        names = {"id", "feature", "n_frames", *columns}
        for found, element in zip(dataset.as_numpy_iterator(), wanted, strict=True):
            assert found.keys() == names
            for name in names:
                np.testing.assert_array_equal(found[name], element[name])


def test_a_transform_is_an_expected_config_and_names_the_feature(folder):
    transform = Transform(synthetic_sets.CONFIG, feature="mel")
    assert "mel" in load(folder, transform).element_spec
    assert "feature" in load(folder, Transform(synthetic_sets.CONFIG)).element_spec
    with pytest.raises(ArgumentError, match=r"another entry: id, n_frames, label, .* with feature='speaker'"):
        load(folder, Transform(synthetic_sets.CONFIG, feature="speaker"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["speaker", "age"]}, r"of \['label', 'speaker', 'start_frame', 'tags'\]. Received: 'age'"),
        ({"columns": "speaker"}, "columns must be a list of names"),
        ({"crop_frames": 0}, "crop_frames must be at least 1"),
        ({"shuffle": 1}, "shuffle must be True or False"),
        ({"seed": 0.5, "shuffle": True}, "seed must be an integer"),
        ({"weights": [1, 2]}, r"one number for each of the 1 items. Received: weights=\[1, 2\]"),
        ({"weights": [-1.0]}, r"weights\[0\] must be at least 0"),
        ({"weights": [0]}, "positive, finite sum"),
        ({"weights": [1], "balance": "label"}, "exclude one another"),
        ({"balance": "age"}, r"one of \['label', 'speaker', 'start_frame'\]. Received: balance='age'"),
        ({"balance": ["label"]}, r"Received: balance=\['label'\]"),
        ({"balance": "tags"}, "That column has lists"),
        ({"balance": "start_frame"}, "23 of 23 clips without one, such as '00', '01', '02'"),
    ],
    ids=[
        "no-column",
        "text-as-columns",
        "empty-crop",
        "number-as-shuffle",
        "fractional-seed",
        "too-many-weights",
        "negative-weight",
        "zero-weights",
        "weights-and-balance",
        "balance-no-column",
        "balance-list",
        "balance-column-of-lists",
        "balance-missing-values",
    ],
)
def test_wrong_arguments_name_what_there_is(folder, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        load(folder, **arguments)


POLICIES = tf.data.experimental.AutoShardPolicy


def test_parts_are_not_divided_again_and_everything_else_is(folder, tmp_path):
    import pickle

    sets = FeatureSet(folder)
    part = sets.shard(0, 2)
    synthetic_sets.write(tmp_path / "other", {"x": feature(3)})
    divided = [folder, sets[3:], [folder, tmp_path / "other"]]
    parts = [part, part.where(label="dog"), pickle.loads(pickle.dumps(part)), [part, tmp_path / "other"]]
    for policy, sources in ((POLICIES.DATA, divided), (POLICIES.OFF, parts)):
        for source, shuffle in ((sources[0], True), *((source, False) for source in sources)):
            dataset = load(source, columns=[], shuffle=shuffle)
            assert dataset.options().experimental_distribute.auto_shard_policy == policy


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_workers_get_every_clip_once(folder, shuffle):
    from tensorflow.python.data.experimental.ops import distribute

    def dataset():
        return load(folder, columns=[], shuffle=shuffle, seed=3)

    expected = ids(dataset())
    for worker in range(2):
        found = ids(distribute._AutoShardDataset(dataset(), num_workers=2, index=worker))
        assert found == expected[worker::2]
    assert sorted(expected) == FeatureSet(folder).ids


def test_a_mirrored_strategy_reads_every_clip_once(folder):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    dataset = load(folder, shuffle=True, seed=3, columns=[]).map(lambda element: element["id"]).batch(4)
    found = [item.decode() for batch in strategy.experimental_distribute_dataset(dataset) for item in batch.numpy()]
    assert found == ids(load(folder, shuffle=True, seed=3, columns=[]))


@pytest.mark.parametrize("arguments", [{}, {"shuffle": True, "crop_frames": 3}, {"balance": "speaker"}], ids=str)
def test_empty_views_give_empty_datasets(folder, arguments):
    dataset = load(FeatureSet(folder)[:0], columns=[], **arguments)
    assert (dataset.cardinality(), list(dataset)) == (0, [])


def test_every_view_has_its_cardinality_with_every_order(folder):
    sets = FeatureSet(folder)
    for view, kind in (
        (sets[::2], "crops"),
        (sets.where(label="dog"), "balanced"),
        (sets.select([1, 1, 0]), "shuffled"),
    ):
        dataset = load(view, columns=[], **KINDS[kind])
        assert dataset.cardinality() == len(view) == len(list(dataset))
