"""Tests of `SpecAugment`: the distribution of its masks, and new masks in every call."""

import json

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import SpecAugment

FIRST = "channels_first"
FRAMES, BINS = 30, 20


def ones(batch, channels=1):
    return np.ones((batch, FRAMES, BINS, channels), np.float32)


def stripes(layer, batch, axis):
    """Returns the masks of a layer that masks one axis, as booleans of shape `[batch, size]`."""
    masked = layer(ones(batch), training=True).numpy()[..., 0] == 0
    other = 3 - axis
    assert np.array_equal(masked.any(axis=other), masked.all(axis=other)), "a mask covers the whole other axis"
    return masked.all(axis=other)


@pytest.mark.parametrize(("axis", "size"), [(1, FRAMES), (2, BINS)], ids=["frames", "bins"])
def test_widths_are_uniform_up_to_the_maximum_and_starts_are_uniform_where_the_mask_fits(axis, size):
    param, batch = 5, 12_000
    layer = SpecAugment(0, param, seed=1) if axis == 1 else SpecAugment(param, 0, seed=1)
    masks = stripes(layer, batch, axis)
    widths = masks.sum(axis=1)
    counts = np.bincount(widths, minlength=param + 1)
    assert len(counts) == param + 1
    assert scipy.stats.chisquare(counts).pvalue > 1e-4
    for width in range(1, param + 1):
        chosen = masks[widths == width]
        starts = chosen.argmax(axis=1)
        ends = size - chosen[:, ::-1].argmax(axis=1)
        np.testing.assert_array_equal(ends - starts, width)  # a mask is contiguous
        start_counts = np.bincount(starts, minlength=size - width + 1)
        assert len(start_counts) == size - width + 1
        assert scipy.stats.chisquare(start_counts).pvalue > 1e-4


def test_the_fraction_of_masked_values_is_the_expected_one():
    masked = SpecAugment(8, 10, seed=2)(ones(10_000), training=True).numpy() == 0
    kept = (1 - 4 / BINS) * (1 - 5 / FRAMES)
    assert abs(1 - masked.mean() - kept) < 0.005


def test_several_masks_are_drawn_independently():
    one = stripes(SpecAugment(0, 10, seed=3), 4000, 1).mean(axis=0)
    three = stripes(SpecAugment(0, 10, n_time_masks=3, seed=3), 4000, 1).mean(axis=0)
    np.testing.assert_allclose(1 - three, (1 - one) ** 3, atol=0.04)


def test_without_masks_nothing_changes():
    for layer in (SpecAugment(0, 0), SpecAugment(5, 5, n_freq_masks=0, n_time_masks=0)):
        np.testing.assert_array_equal(layer(ones(50), training=True), ones(50))


def test_masked_values_become_the_mask_value_and_others_are_kept():
    spectrogram = np.random.default_rng(0).standard_normal((40, FRAMES, BINS, 2)).astype(np.float32)
    result = SpecAugment(8, 10, mask_value=-80.0, seed=4)(spectrogram, training=True).numpy()
    masked = result == -80
    assert 0.1 < masked.mean() < 0.6
    np.testing.assert_array_equal(result[~masked], spectrogram[~masked])


@pytest.mark.cases(4)
@pytest.mark.parametrize("data_format", ["channels_last", FIRST])
@pytest.mark.parametrize(
    "mask_value",
    [[[-50.0, 0.25]], np.arange(BINS, dtype=np.float32)[:, None] / 3, [7.0, 8.0], np.ones((BINS, 2)) * [0.1, 0.2]],
    ids=["channels", "bins", "rank 1", "both"],
)
def test_bins_and_channels_may_have_mask_values_of_their_own(mask_value, data_format, tmp_path):
    def last(values):
        return np.moveaxis(values, 1, -1) if data_format == FIRST else values

    def first(values):
        return np.moveaxis(values, -1, 1) if data_format == FIRST else values

    spectrogram = np.full((40, FRAMES, BINS, 2), 99, np.float32)
    inputs = keras.Input(first(spectrogram).shape[1:])
    model = keras.Model(inputs, SpecAugment(8, 10, mask_value=mask_value, seed=4, data_format=data_format)(inputs))
    result = last(model(first(spectrogram), training=True).numpy())
    masked = result != 99
    assert 0.1 < masked.mean() < 0.6
    expected = np.broadcast_to(np.asarray(mask_value, np.float32), result.shape)
    np.testing.assert_array_equal(result[masked], expected[masked])
    assert (masked == masked[..., :1]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(last(loaded(first(spectrogram), training=True).numpy()), result)
    unknown = tf.TensorSpec([None] * 4, tf.float32)
    graph = tf.function(lambda x: loaded.layers[1](x, training=True), input_signature=[unknown])
    found = last(graph(first(spectrogram)).numpy())
    np.testing.assert_array_equal(found[found != 99], expected[found != 99])


def test_the_mask_value_is_saved_exactly_as_json():
    silence = np.array([[-1.5000002, 0.1]], np.float32)
    for value in (silence, float(silence[0, 0]), 0):
        text = json.dumps(SpecAugment(3, 3, mask_value=value).get_config()["mask_value"])
        np.testing.assert_array_equal(
            np.array(json.loads(text), np.float32), np.asarray(value, np.float32), strict=True
        )


@pytest.mark.parametrize("mask_value", [[[0.0, 1.0]], np.zeros((7, 1)), [1.0, 2.0, 3.0]], ids=["two", "bins", "three"])
def test_a_mask_value_of_other_sizes_than_the_spectrogram_is_refused(mask_value):
    layer = SpecAugment(3, 3, mask_value=mask_value)
    with pytest.raises(ArgumentError, match=r"\[20, 1\]. Received: an array of shape"):
        layer(ones(1), training=True)
    with pytest.raises(ArgumentError, match="one channel: repeat each quantity"):
        layer(keras.Input((FRAMES, BINS, 1)))
    graph = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None] * 4, tf.float32)])
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(ones(1))


def test_all_channels_of_an_example_have_the_same_masks():
    masked = SpecAugment(8, 10, seed=5)(ones(30, channels=3), training=True).numpy() == 0
    np.testing.assert_array_equal(masked.any(axis=-1), masked.all(axis=-1))


def test_channels_first_masks_the_same_frames_and_bins():
    last = SpecAugment(8, 10, seed=6)(ones(30, channels=2), training=True)
    first = SpecAugment(8, 10, seed=6, data_format=FIRST)(np.moveaxis(ones(30, channels=2), -1, 1), training=True)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def different(results):
    """Returns the number of different arrays."""
    return len({np.asarray(result).tobytes() for result in results})


def test_each_example_of_a_batch_gets_its_own_masks():
    assert different(SpecAugment(15, 25, seed=7)(ones(20), training=True)) > 17


def test_every_call_draws_new_masks_eagerly_in_graphs_under_xla_and_in_tf_data():
    layer = SpecAugment(15, 25, seed=8)
    batch = tf.constant(ones(1))

    def call(x):
        return layer(x, training=True)

    assert different(call(batch) for _ in range(20)) > 17
    for graph in (tf.function(call), tf.function(call, jit_compile=True)):
        assert different(graph(batch) for _ in range(20)) > 17
    assert different(tf.data.Dataset.from_tensors(batch).repeat(20).map(call)) > 17
    assert different(tf.data.Dataset.from_tensors(batch).repeat(20).map(call, num_parallel_calls=2)) > 16


def test_a_seed_makes_a_layer_reproducible_in_every_kind_of_call():
    def results(seed, decorate):
        layer = SpecAugment(15, 15, seed=seed)
        call = decorate(lambda x: layer(x, training=True))
        return np.array([call(tf.constant(ones(4))) for _ in range(3)])

    eager = results(9, lambda call: call)
    np.testing.assert_array_equal(results(9, lambda call: call), eager)
    np.testing.assert_array_equal(results(9, tf.function), eager)
    np.testing.assert_array_equal(results(9, lambda call: tf.function(call, jit_compile=True)), eager)
    assert not np.array_equal(results(10, tf.function), eager)
    assert not np.array_equal(results(None, tf.function), results(None, tf.function))


def test_the_config_contains_the_seed_and_a_loaded_model_starts_again_from_it(tmp_path):
    assert json.loads(json.dumps(SpecAugment(5, 5, seed=np.int64(11)).get_config()))["seed"] == 11
    assert SpecAugment(5, 5).get_config()["seed"] is None
    inputs = keras.Input((FRAMES, BINS, 1))
    model = keras.Model(inputs, SpecAugment(15, 25, seed=11)(inputs))
    first = model(ones(3), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ones(3), training=True), first)


def test_inference_changes_nothing_and_draws_nothing():
    layer = SpecAugment(15, 25, seed=12)
    for arguments in ({}, {"training": False}, {"training": None}):
        np.testing.assert_array_equal(layer(ones(3), **arguments), ones(3))
    fresh = SpecAugment(15, 25, seed=12)
    np.testing.assert_array_equal(layer(ones(3), training=True), fresh(ones(3), training=True))


def test_a_model_with_the_layer_can_be_trained():
    model = keras.Sequential(
        [keras.Input((None, BINS, 1)), SpecAugment(5, 5, seed=13), keras.layers.Conv2D(1, 3, padding="same")]
    )
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(ones(4), ones(4), verbose=0).history["loss"][0])


def test_masked_values_have_no_gradient_and_others_have_one():
    batch = tf.constant(ones(5))
    with tf.GradientTape() as tape:
        tape.watch(batch)
        result = SpecAugment(15, 15, seed=14)(batch, training=True)
    np.testing.assert_array_equal(tape.gradient(result, batch), result)


@pytest.mark.parametrize(("param", "size"), [("freq_mask_param", BINS), ("time_mask_param", FRAMES)])
def test_a_mask_wider_than_a_known_size_is_refused_in_training(param, size):
    arguments = {"freq_mask_param": 0, "time_mask_param": 0, param: size + 1}
    message = f"{param} must be at most {size}.*{param}={size + 1}"
    with pytest.raises(ArgumentError, match=message):
        SpecAugment(**arguments)(ones(1), training=True)
    with pytest.raises(ArgumentError, match=message):
        SpecAugment(**arguments)(keras.Input((FRAMES, BINS, 1)))
    SpecAugment(**arguments)(ones(1))
    SpecAugment(**{**arguments, param: size})(ones(1), training=True)


def test_a_mask_wider_than_an_unknown_size_is_clipped():
    layer = SpecAugment(100, 1000, seed=15)
    graph = tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, None, None, 1], tf.float32)]
    )
    masked = graph(ones(3000)).numpy()[..., 0] == 0
    n_frames = masked.all(axis=2).sum(axis=1)  # all frames if the mask covers all bins
    assert set(n_frames) == set(range(FRAMES + 1))
    for shape in ((2, 0, 20, 1), (2, 1, 1, 1), (0, 30, 20, 1)):
        assert graph(np.ones(shape, np.float32)).shape == shape


@pytest.mark.parametrize("shape", [(FRAMES, BINS), (1, FRAMES, BINS)])
@pytest.mark.parametrize("training", [False, True])
def test_any_rank_but_four_is_refused(shape, training):
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        SpecAugment(2, 2)(np.zeros(shape, np.float32), training=training)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"freq_mask_param": -1}, "freq_mask_param must be at least 0"),
        ({"time_mask_param": 2.5}, "time_mask_param must be an integer"),
        ({"n_freq_masks": -1}, "n_freq_masks must be at least 0"),
        ({"n_time_masks": None}, "n_time_masks must be an integer"),
        ({"mask_value": float("inf")}, "mask_value must be finite"),
        ({"mask_value": [[float("nan")]]}, "mask_value must be finite"),
        ({"mask_value": np.zeros((1, 2, 3))}, r"broadcasts to \[bins, channels\]"),
        ({"mask_value": [[1.0], [2.0, 3.0]]}, r"broadcasts to \[bins, channels\]"),
        ({"mask_value": ["silence"]}, r"broadcasts to \[bins, channels\]"),
        ({"mask_value": "silence"}, "mask_value must be a number"),
        ({"seed": 1.5}, "seed must be an integer"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        SpecAugment(**{"freq_mask_param": 3, "time_mask_param": 3, **arguments})
