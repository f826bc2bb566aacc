"""Padded batches against the clips, one by one."""

import functools
import itertools

import numpy as np
import pytest
import synthetic_sets
import tensorflow as tf
from clip_cases import ANY, CONFIGS, MONO, PHASES, cases, check_batch, clip, clips_of, few_cases
from hypothesis import given

from audiopipe import FeatureSet, Transform, load, tfdata
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import Columns

BATCH_SIZE = 3


@functools.cache
def batches_of(name):
    return tfdata.padded_batch(clips_of(name).dataset, BATCH_SIZE, CONFIGS[name], mask=True)


@few_cases
@given(cases())
def test_each_batch_holds_its_clips_padding_and_nothing_else(case):
    name, clips = case
    found = clips_of(name).of(clips, batches_of(name))
    groups = [clips[start : start + BATCH_SIZE] for start in range(0, len(clips), BATCH_SIZE)]
    assert len(found) == len(groups)
    for batch, group in zip(found, groups, strict=True):
        check_batch(name, batch, group, max(int(one["n_frames"]) for one in group))


def test_a_last_small_batch_is_dropped_on_request_and_the_batches_are_counted():
    clips = tf.data.Dataset.range(7).map(
        lambda number: {"feature": tf.zeros([number, 5, 1]), "n_frames": number, "name": "x"}
    )
    all_of_them = tfdata.padded_batch(clips, 3, MONO)
    full = tfdata.padded_batch(clips, 3, MONO, drop_remainder=True)
    assert (all_of_them.cardinality(), full.cardinality()) == (3, 2)
    assert full.element_spec["feature"].shape == (3, None, 5, 1)
    assert [batch["n_frames"].tolist() for batch in full.as_numpy_iterator()] == [[0, 1, 2], [3, 4, 5]]
    assert "mask" not in full.element_spec


def test_frames_of_padding_within_a_clip_are_masked_and_hold_padding():
    def crop(n_frames):
        feature = np.full([5, 5, 2], 7, np.float32)
        return {"feature": feature, "n_frames": np.int64(n_frames)}

    config = CONFIGS["any"]
    clips = tf.data.Dataset.from_tensor_slices(
        {"feature": np.stack([crop(2)["feature"], crop(5)["feature"]]), "n_frames": np.int64([2, 5])}
    )
    [batch] = tfdata.padded_batch(clips, 2, config, mask=True).as_numpy_iterator()
    assert batch["mask"].tolist() == [[True, True, False, False, False], [True] * 5]
    np.testing.assert_array_equal(batch["feature"][0, 2:], np.broadcast_to(np.float32([-50, 0]), [3, 5, 2]))
    np.testing.assert_array_equal(batch["feature"][1], 7)


def test_features_of_half_precision_stay_so():
    clips = tf.data.Dataset.range(1, 4).map(
        lambda number: {"feature": tf.zeros([number, 5, 1], tf.bfloat16), "n_frames": number}
    )
    [batch] = tfdata.padded_batch(clips, 3, MONO)
    assert batch["feature"].dtype == tf.bfloat16
    assert batch["feature"][0, -1, 0, 0] == -50


def test_clips_with_other_channels_than_the_rest_of_a_batch_are_an_error():
    def generate():
        for number, channels in enumerate([2, 2, 4]):
            yield {"id": str(number), "feature": np.zeros([3, 5, channels], np.float32), "n_frames": 3}

    spec = {
        "id": tf.TensorSpec([], tf.string),
        "feature": tf.TensorSpec([None, 5, None], tf.float32),
        "n_frames": tf.TensorSpec([], tf.int64),
    }
    clips = tf.data.Dataset.from_generator(generate, output_signature=spec)
    single = tfdata.padded_batch(clips, 1, ANY)
    assert [batch["feature"].shape for batch in single] == [(1, 3, 5, 2), (1, 3, 5, 2), (1, 3, 5, 4)]
    assert set(single.element_spec) == set(spec)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"equal numbers of channels\. Received: 2, 2, 4 of the clips 0, 1, 2"
    ):
        list(tfdata.padded_batch(clips, 3, ANY))


def test_a_wrong_number_of_frames_is_an_error():
    clips = tf.data.Dataset.from_tensors({"feature": tf.zeros([3, 5, 1]), "n_frames": 4})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"n_frames must be .* Received: 4 for .* 3 frames"):
        list(tfdata.padded_batch(clips, 1, MONO))


def test_features_without_a_static_shape_get_one_and_are_checked():
    def clips(bins):
        dataset = tf.data.Dataset.from_tensors(np.zeros([3, bins, 1], np.float32))
        return dataset.map(
            lambda values: {"feature": tf.numpy_function(lambda array: array, [values], tf.float32), "n_frames": 3}
        )

    assert clips(5).element_spec["feature"].shape.rank is None
    batches = tfdata.padded_batch(clips(5), 1, MONO)
    assert batches.element_spec["feature"].shape == (None, None, 5, 1)
    assert len(list(batches)) == 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
        list(tfdata.padded_batch(clips(4), 1, MONO))


@pytest.mark.parametrize("n_frames", [5, -1])
def test_a_feature_that_was_cut_without_its_number_of_frames_is_an_error_that_names_the_clip(n_frames):
    clips = tf.data.Dataset.range(2).map(
        lambda number: {
            "id": number,
            "feature": tf.zeros([9 - 6 * number, 5, 1]),
            "n_frames": 9 - number * (9 - n_frames),
        }
    )
    message = f"The clip .*1.*: the entry n_frames .* Received: {n_frames} for a feature of 3 frames"
    for batches in (
        tfdata.padded_batch(clips, 2, MONO, mask=True),
        tfdata.bucketed_batch(clips, 18, MONO, lengths=[9], mask=True),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            list(batches)


def test_valid_frames_beside_metadata_of_that_name_are_found_without_it_and_never_exceed_the_frames():
    clips = tf.data.Dataset.from_tensors({"feature": tf.zeros([5, 5, 1]), "n_frames": 3, "valid_frames_": 2})
    found = [clips, clips.map(lambda clip: {**clip, "valid_frames_": 4})]
    masks = [next(iter(tfdata.padded_batch(dataset, 1, MONO, mask=True)))["mask"] for dataset in found]
    assert [np.count_nonzero(mask) for mask in masks] == [2, 3]


def entries(**changes):
    element = {"feature": tf.zeros([3, 5, 1]), "n_frames": 3, "mask": 1, **changes}
    return tf.data.Dataset.from_tensors({name: value for name, value in element.items() if value is not None})


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ([1], r"dataset must be a tf\.data\.Dataset"),
        (
            tf.data.Dataset.from_tensors((tf.zeros([3, 5, 1]), 1)),
            r"of dicts, .* Received: _TensorDataset of \(TensorSpec",
        ),
        (entries(feature=None), r"an entry 'feature'.* Received: the entries mask, n_frames"),
        (entries(n_frames=None), r"an entry 'n_frames'.* Received: the entries feature, mask"),
        (entries(feature=tf.zeros([3, 4, 1])), r"\(None, 5, 1\), \(frames, bins, .* shape \(3, 4, 1\)"),
        (entries(feature=tf.zeros([3, 5, 2])), r"a feature of the config.* Received: float32 of shape \(3, 5, 2\)"),
        (entries(feature=tf.zeros([3, 5])), r"a feature of the config.* Received: float32 of shape \(3, 5\)"),
        (entries(feature=tf.zeros([3, 5, 1], tf.int32)), r"a feature of the config.* Received: int32"),
        (entries().batch(1), r"must be clips.* shape \(None, 3, 5, 1\), which is that of a batch"),
        (entries(n_frames=3.0), r"'n_frames' must be a number of frames"),
        (entries(valid_frames="all"), r"'valid_frames' must be a number of frames.* rename the column"),
        (
            entries(rows=tf.RaggedTensor.from_row_lengths([1, 2], [2])),
            r"dense tensors of known rank\. Received: 'rows'",
        ),
        (entries(), r"must not have an entry 'mask' already\. Received: the entries feature, mask, n_frames"),
    ],
)
def test_datasets_that_do_not_fit_are_refused_at_once(dataset, message):
    with pytest.raises(ArgumentError, match=message):
        tfdata.padded_batch(dataset, 2, MONO, mask=True)


def test_an_odd_number_of_channels_cannot_hold_two_quantities():
    dataset = tf.data.Dataset.from_tensors({"feature": tf.zeros([3, 5, 3]), "n_frames": 3})
    with pytest.raises(ArgumentError, match=r"a feature of the config.* shape \(3, 5, 3\)"):
        tfdata.padded_batch(dataset, 2, ANY)


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="batch_size must be at least 1"):
        tfdata.padded_batch(entries(), 0, MONO)
    with pytest.raises(ArgumentError, match="mask must be True or False"):
        tfdata.padded_batch(entries(), 1, MONO, mask="yes")


COLUMNS = Columns(types={"speaker": "string", "tags": "list<string>", "classes": "list<int>", "age": "int"})
ROWS = [
    {"speaker": "Zoë", "tags": ["a", "b"], "classes": [1], "age": 3},
    {"speaker": "", "tags": None, "classes": [], "age": 4},
    {"speaker": "Bo", "tags": ["c"], "classes": None, "age": 5},
]


def test_the_clips_of_a_feature_set_are_those_that_load_gives(tmp_path):
    clips = {f"clip {n}": (synthetic_sets.feature(n, seed=n), row) for n, row in zip([4, 9, 1], ROWS, strict=True)}
    synthetic_sets.write(tmp_path / "features", clips, columns=COLUMNS)
    sets = FeatureSet(tmp_path / "features")
    dataset = load(sets)
    for config in (tmp_path / "features", sets.config, Transform(sets.config), sets.config.layer()):
        assert tfdata.padded_batch(dataset, 3, config).element_spec["feature"].shape == (None, None, 20, 1)
    [batch] = tfdata.padded_batch(dataset, 3, sets).as_numpy_iterator()
    for row, (feature, _) in enumerate(clips.values()):
        np.testing.assert_array_equal(batch["feature"][row, : len(feature)], feature)
        assert (batch["feature"][row, len(feature) :] == np.float32(sets.config.padding)).all()
    assert batch["n_frames"].tolist() == [4, 9, 1]
    assert batch["tags"].tolist() == [[b"a", b"b"], [b"", b""], [b"c", b""]]
    assert (batch["tags_length"].tolist(), batch["classes_length"].tolist()) == ([2, -1, 1], [1, 0, -1])
    assert batch["classes"].tolist() == [[1], [-1], [-1]]
    assert batch["speaker"].tolist() == ["Zoë".encode(), b"", b"Bo"]


def test_the_feature_has_the_name_that_the_transform_gives_it():
    transform = Transform(PHASES, feature="stft")
    clips = tf.data.Dataset.range(3).map(lambda number: {"stft": tf.zeros([4, number, 5]), "n_frames": number})
    [batch] = tfdata.padded_batch(clips, 3, transform).as_numpy_iterator()
    np.testing.assert_array_equal(batch["stft"][0], np.broadcast_to(PHASES.padding_frame(2), [4, 2, 5]))
    with pytest.raises(ArgumentError, match=r"an entry 'feature'.* Received: the entries n_frames, stft"):
        tfdata.padded_batch(clips, 3, PHASES)


def test_batches_keep_the_options_and_the_order_of_the_dataset():
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = False
    clips = clips_of("mono")
    batches = tfdata.padded_batch(clips.dataset.with_options(options), 1, MONO)
    assert batches.options().experimental_distribute.auto_shard_policy == tf.data.experimental.AutoShardPolicy.OFF
    found = clips.of([clip("mono", number, 2) for number in range(9)], batches)
    ids = list(itertools.chain.from_iterable(batch["id"].tolist() for batch in found))
    assert ids == [f"clip {number}".encode() for number in range(9)]
