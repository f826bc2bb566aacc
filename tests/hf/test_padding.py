"""Tests of `hf.to_tf_dataset`, which makes padded batches of `tf.data`."""

import dataclasses

import datasets
import numpy as np
import pytest
import tensorflow as tf
from datasets import ClassLabel, Dataset, DatasetDict
from silent_configs import EXAMPLES, padding_of

from audiopipe import Transform, hf
from audiopipe.errors import ArgumentError, FingerprintError

pytestmark = pytest.mark.usefixtures("quiet_bars")

NAMES = ["mono.wav", "stereo.flac", None, "resampled.wav", "quiet.wav"]
LABELS = [4, 3, 2, 1, 0]


@pytest.fixture(scope="module")
def paths(clips):
    return [name and str(clips / name) for name in NAMES]


@pytest.fixture(scope="module")
def mapped(paths, mel):
    columns = {
        "audio": paths,
        "label": LABELS,
        "text": ["ä", None, "c", "", "e"],
        "gain": [0.1, None, 3.0, 4.0, 5.0],
        "clean": [True, False, True, False, True],
    }
    return hf.map(Dataset.from_dict(columns).cast_column("label", ClassLabel(num_classes=5)), mel, on_error="null")


@pytest.fixture(scope="module")
def expected(paths, mel):
    return [np.zeros((0, 129), np.float32) if path is None else mel(mel.read(path))[..., 0] for path in paths]


def check(batches, expected, batch_size, numbers=range(5), padding_value=-50.0):
    """Asserts that NumPy batches hold the expected rows, given by their numbers."""
    numbers = list(numbers)
    chunks = [numbers[start : start + batch_size] for start in range(0, len(numbers), batch_size)]
    for batch, chunk in zip(batches, chunks, strict=True):
        assert batch["label"].tolist() == [LABELS[number] for number in chunk]
        assert batch["n_frames"].tolist() == [len(expected[number]) for number in chunk]
        assert batch["feature"].shape == (len(chunk), max(len(expected[number]) for number in chunk), 129)
        for feature, number in zip(batch["feature"], chunk, strict=True):
            np.testing.assert_array_equal(feature[: len(expected[number])], expected[number])
            assert (feature[len(expected[number]) :] == padding_value).all()


@pytest.mark.cases(4)
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 16])
def test_batches_have_the_bits_order_and_lengths_of_the_rows(mapped, expected, batch_size, streaming):
    rows = mapped.to_iterable_dataset() if streaming else mapped
    batches = hf.to_tf_dataset(rows, batch_size=batch_size)
    check(batches.as_numpy_iterator(), expected, batch_size)
    check(batches.as_numpy_iterator(), expected, batch_size)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_mask_is_true_for_the_frames_of_each_clip(mapped, expected, streaming):
    batches = hf.to_tf_dataset(mapped.to_iterable_dataset() if streaming else mapped, mask=True, batch_size=3)
    assert batches.element_spec["mask"] == tf.TensorSpec([None, None], tf.bool)
    masks = [batch["mask"].numpy() for batch in batches]
    assert [mask.sum(axis=1).tolist() for mask in masks] == [
        [len(one) for one in expected[at : at + 3]] for at in (0, 3)
    ]
    for mask in masks:
        assert mask.shape[1] == mask.sum(axis=1).max()
        assert (np.sort(mask, axis=1)[:, ::-1] == mask).all()  # the frames of audio come first


def test_a_mask_beside_a_column_of_its_name_is_refused(mapped):
    rows = mapped.rename_column("label", "mask")
    with pytest.raises(ArgumentError, match="With mask=True, the dataset must not have a column 'mask'"):
        hf.to_tf_dataset(rows, mask=True)
    assert "mask" in hf.to_tf_dataset(rows, mask=True, columns=["text"]).element_spec
    with pytest.raises(ArgumentError, match="mask must be True or False"):
        hf.to_tf_dataset(rows, mask=1)


def test_a_streaming_map_is_computed_when_its_batches_are_read(paths, mel, expected):
    rows = Dataset.from_dict({"audio": paths, "label": LABELS}).to_iterable_dataset()
    batches = hf.to_tf_dataset(hf.map(rows, mel, on_error="skip"), batch_size=3, columns=["label"])
    check(batches.as_numpy_iterator(), expected, 3, [0, 1, 3, 4])


@pytest.mark.parametrize("streaming", [False, True])
def test_other_columns_keep_their_values_and_missing_ones_are_empty_or_nan(mapped, streaming):
    batches = hf.to_tf_dataset(mapped.to_iterable_dataset() if streaming else mapped)
    dtypes = {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in batches.element_spec.items()}
    assert dtypes == {
        "feature": ("float32", [None, None, 129]),
        "n_frames": ("int64", [None]),
        "label": ("int64", [None]),
        "text": ("string", [None]),
        "gain": ("float64", [None]),
        "clean": ("bool", [None]),
        "error": ("string", [None]),
    }
    [batch] = batches.as_numpy_iterator()
    assert [text.decode() for text in batch["text"]] == ["ä", "", "c", "", "e"]
    np.testing.assert_array_equal(batch["gain"], [0.1, np.nan, 3, 4, 5])
    assert batch["clean"].tolist() == [True, False, True, False, True]
    assert [bool(error) for error in batch["error"]] == [False, False, True, False, False]


def test_selected_rows_come_in_the_order_of_the_selection(mapped, expected):
    chosen = mapped.select([4, 0, 3, 3])
    check(hf.to_tf_dataset(chosen, batch_size=3).as_numpy_iterator(), expected, 3, [4, 0, 3, 3])


def test_shuffling_changes_the_order_in_every_epoch_and_a_seed_repeats_it(mapped, expected):
    def drawn(batches):
        read = list(batches.as_numpy_iterator())
        numbers = [LABELS.index(label) for batch in read for label in batch["label"]]
        check(read, expected, 2, numbers)
        return numbers

    def orders():
        batches = hf.to_tf_dataset(mapped, batch_size=2, shuffle=True, seed=7)
        return [drawn(batches) for _ in range(4)]

    first = orders()
    assert all(sorted(order) == list(range(5)) for order in first)
    assert len(set(map(tuple, first))) > 1
    assert orders() == first


def test_the_number_of_batches_is_known_and_the_remainder_may_be_dropped(mapped):
    assert len(hf.to_tf_dataset(mapped, batch_size=2)) == 3
    whole = hf.to_tf_dataset(mapped, batch_size=2, drop_remainder=True)
    assert len(whole) == 2
    assert whole.element_spec["feature"].shape.as_list() == [2, None, 129]
    streamed = hf.to_tf_dataset(mapped.to_iterable_dataset(), batch_size=2, drop_remainder=True)
    assert [len(batch["label"]) for batch in streamed.as_numpy_iterator()] == [2, 2]


def test_a_padding_value_replaces_the_padding_of_the_config(mapped, expected):
    check(hf.to_tf_dataset(mapped, padding_value=-80.0).as_numpy_iterator(), expected, 16, padding_value=-80.0)


def test_columns_selects_the_columns_of_a_batch(mapped):
    assert set(hf.to_tf_dataset(mapped, columns=["text"]).element_spec) == {"feature", "n_frames", "text"}
    assert set(hf.to_tf_dataset(mapped, columns=[]).element_spec) == {"feature", "n_frames"}


@pytest.mark.parametrize(
    "changes", [{"channels": 2}, {"channels": 2, "output_data_format": "channels_first"}, {"channels": None}]
)
def test_several_channels_are_padded_along_the_frames(config, clips, changes):
    stereo = Transform(dataclasses.replace(config, **changes))
    path = clips / "stereo.flac"
    whole = stereo(stereo.read(path))
    short = stereo(stereo.read(path)[:900])
    types = datasets.Features(feature=hf.feature_type(stereo.config))
    axis = 1 if "output_data_format" in changes else 0
    rows = hf.with_digests(Dataset.from_dict({"feature": [short, whole]}, features=types))
    [batch] = hf.to_tf_dataset(rows).as_numpy_iterator()
    n_frames = short.shape[axis]
    assert batch["feature"].shape == (2, *whole.shape)
    assert batch["n_frames"].tolist() == [n_frames, whole.shape[axis]]
    own, beyond = np.split(batch["feature"][0], [n_frames], axis=axis)
    np.testing.assert_array_equal(own, short)
    np.testing.assert_array_equal(batch["feature"][1], whole)
    assert beyond.size
    assert (beyond == -50).all()


@pytest.mark.parametrize("name", ["StftMagPhase", "phase-kept-channels", "phase-channels-first"])
def test_each_quantity_has_its_own_padding(name):
    config = EXAMPLES[name]
    short, whole = (np.zeros(config.feature_shape(n_frames, 2), np.float32) for n_frames in (2, 5))
    types = datasets.Features(feature=hf.feature_type(config))
    rows = hf.with_digests(Dataset.from_dict({"feature": [short, whole]}, features=types))
    for dataset in (rows, rows.to_iterable_dataset()):
        [batch] = hf.to_tf_dataset(dataset).as_numpy_iterator()
        expected = np.concatenate([short, padding_of(config, 3, 2)], axis=config.frame_axis)
        np.testing.assert_array_equal(batch["feature"], [expected, whole])


def test_bins_of_a_single_channel_may_have_their_own_padding(mapped, expected, mel, monkeypatch):
    padding = np.linspace(-9, 0, 129, dtype=np.float32)
    monkeypatch.setattr(type(mel.config), "padding", padding[:, None])
    batches = hf.to_tf_dataset(mapped).as_numpy_iterator()
    check(batches, expected, 16, padding_value=padding)


@pytest.mark.parametrize("value", [[0.0, 1.0], "silence", True])
def test_a_padding_value_that_is_no_number_is_refused(mapped, value):
    with pytest.raises(ArgumentError, match="padding_value must be a number or None"):
        hf.to_tf_dataset(mapped, padding_value=value)


def test_clips_with_unequal_channels_are_refused_in_one_batch(config, clips):
    kept = Transform(dataclasses.replace(config, channels=None))
    mapped = hf.map(Dataset.from_dict({"audio": [str(clips / "stereo.flac"), str(clips / "mono.wav")]}), kept)
    with pytest.raises(tf.errors.InvalidArgumentError, match="equal numbers of bins and channels"):
        list(hf.to_tf_dataset(mapped))
    assert [len(batch["feature"].shape) for batch in hf.to_tf_dataset(mapped, batch_size=1)] == [4, 4]


def test_one_of_two_features_must_be_named(mapped, paths, config):
    other = Transform(dataclasses.replace(config, hop_length=50), feature="fine")
    both = mapped.select([0, 1]).add_column("audio", paths[:2]).remove_columns("n_frames")
    both = hf.map(both, other)
    with pytest.raises(FingerprintError, match="of which 2 do"):
        hf.to_tf_dataset(both)
    [batch] = hf.to_tf_dataset(both, columns=["fine", "label"]).as_numpy_iterator()
    assert batch.keys() == {"fine", "n_frames", "label"}
    assert batch["n_frames"].tolist() == both["n_frames"][:]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda rows: DatasetDict(a=rows), {}, r"Received: DatasetDict\. Select one split"),
        (lambda rows: rows.to_iterable_dataset(), {"shuffle": True}, r"dataset\.shuffle\(buffer_size=\.\.\.\)"),
        (lambda rows: rows, {"batch_size": 0}, "batch_size must be at least 1. Received: batch_size=0"),
        (lambda rows: rows, {"columns": ["lable"]}, r"Received: columns=\['lable'\]"),
        (lambda rows: rows, {"columns": "label"}, r"Received: columns='label'"),
        (lambda rows: rows.remove_columns("feature"), {}, "one column must say which feature it holds"),
        (lambda rows: rows.add_column("tokens", [[[1]]] * 5), {}, r"Received: 'tokens' of type list"),
    ],
)
def test_wrong_arguments_and_columns_are_refused(mapped, change, arguments, message):
    with pytest.raises((ArgumentError, FingerprintError), match=message):
        hf.to_tf_dataset(change(mapped), **arguments)


def test_a_keras_model_trains_on_the_batches(mapped):
    import keras

    inputs = keras.Input((None, 129))
    model = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling1D()(inputs)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    good = mapped.filter(lambda n_frames: n_frames > 0, input_columns="n_frames")
    batches = hf.to_tf_dataset(good, batch_size=2, columns=["label"])
    assert np.isfinite(model.fit(batches.map(lambda e: (e["feature"] / 80, e["label"])), verbose=0).history["loss"][0])
