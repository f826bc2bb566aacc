"""Tests of `ChannelSwap`: the distribution of its permutations, and new ones in every call."""

import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import ChannelSwap


def numbered(batch, channels, *between):
    """Returns a batch in which every value is the index of its channel."""
    return np.broadcast_to(np.arange(channels, dtype=np.float32), (batch, *between, channels)).copy()


def orders(result):
    """Returns the order of the channels of each example, for channels last."""
    result = np.asarray(result)
    between = tuple(range(1, result.ndim - 1))
    assert np.array_equal(result.min(axis=between), result.max(axis=between)), "channels move as a whole"
    return [tuple(order) for order in result.min(axis=between).astype(int)]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_every_order_is_equally_likely(channels):
    drawn = orders(ChannelSwap(seed=1)(numbered(12_000, channels, 2), training=True))
    counts = [drawn.count(order) for order in itertools.permutations(range(channels))]
    assert sum(counts) == 12_000
    assert scipy.stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("between", [(5,), (3, 4)], ids=["waveform", "spectrogram"])
def test_channels_move_as_a_whole_in_both_data_formats(between):
    batch = numbered(40, 3, *between)
    last = ChannelSwap("channels_last", seed=2)(batch, training=True)
    assert 4 < len(set(orders(last))) <= 6
    first = ChannelSwap("channels_first", seed=2)(np.moveaxis(batch, -1, 1), training=True)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_in_a_graph_every_call_draws_another_order_unlike_kapre():
    layer = ChannelSwap(seed=3)
    batch = tf.constant(numbered(1, 8, 2))

    def call(x):
        return layer(x, training=True)

    dataset = tf.data.Dataset.from_tensors(batch).repeat(20)
    unknown = tf.TensorSpec([None, None, None], tf.float32)
    for results in (
        (call(batch) for _ in range(20)),
        (tf.function(call)(batch) for _ in range(20)),
        map(tf.function(call), [batch] * 20),
        map(tf.function(call, jit_compile=True), [batch] * 20),
        map(tf.function(call, input_signature=[unknown]), [batch] * 20),
        dataset.map(call),
    ):
        drawn = [orders(result)[0] for result in results]
        assert all(sorted(order) == list(range(8)) for order in drawn)
        assert len(set(drawn)) >= 17


def test_parallel_calls_draw_different_orders_unless_they_run_at_the_same_time():
    layer = ChannelSwap(seed=3)
    dataset = tf.data.Dataset.from_tensors(tf.constant(numbered(1, 8, 2))).repeat(20)
    drawn = [orders(result)[0] for result in dataset.map(lambda x: layer(x, training=True), num_parallel_calls=2)]
    assert all(sorted(order) == list(range(8)) for order in drawn)
    # Two simultaneous calls draw the same order if both read the seed of Keras before either advances it.
    assert len(set(drawn)) >= 10


def test_each_example_of_a_batch_gets_its_own_order():
    assert len(set(orders(ChannelSwap(seed=4)(numbered(20, 8, 2), training=True)))) == 20


def test_a_seed_makes_a_layer_reproducible_in_every_kind_of_call():
    def results(seed, decorate):
        layer = ChannelSwap(seed=seed)
        call = decorate(lambda x: layer(x, training=True))
        return [orders(call(tf.constant(numbered(4, 8, 2)))) for _ in range(3)]

    eager = results(5, lambda call: call)
    assert results(5, lambda call: call) == eager
    assert results(5, tf.function) == eager
    assert results(5, lambda call: tf.function(call, jit_compile=True)) == eager
    assert results(6, tf.function) != eager
    assert results(None, tf.function) != results(None, tf.function)


def test_the_config_contains_the_seed_and_a_loaded_model_starts_again_from_it(tmp_path):
    assert ChannelSwap(seed=7).get_config()["seed"] == 7
    batch = numbered(6, 8, 2)
    inputs = keras.Input((None, 8))
    model = keras.Model(inputs, ChannelSwap(seed=7)(inputs))
    first = model(batch, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(batch, training=True), first)


@pytest.mark.parametrize("training", [None, False])
def test_inference_changes_nothing(training):
    batch = numbered(20, 4, 2)
    np.testing.assert_array_equal(ChannelSwap(seed=8)(batch, training=training), batch)


def test_a_single_channel_is_unchanged():
    batch = np.random.default_rng(0).standard_normal((3, 5, 1)).astype(np.float32)
    np.testing.assert_array_equal(ChannelSwap()(batch, training=True), batch)


@pytest.mark.parametrize("dtype", ["complex64", "int16"])
def test_values_of_every_dtype_are_permuted(dtype):
    batch = numbered(20, 4, 2).astype(dtype)
    layer = ChannelSwap(seed=9)
    result = layer(batch, training=True).numpy()
    assert result.dtype == dtype == layer.compute_output_dtype(dtype)
    np.testing.assert_array_equal(np.sort(result.real, axis=-1), batch.real)


def test_gradients_are_permuted_back():
    batch = tf.constant(numbered(10, 4, 3))
    with tf.GradientTape() as tape:
        tape.watch(batch)
        result = ChannelSwap(seed=10)(batch, training=True)
        total = tf.reduce_sum(result * result / 2)
    np.testing.assert_array_equal(tape.gradient(total, batch), batch)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("training", [False, True])
def test_any_rank_but_three_or_four_is_refused(shape, training):
    with pytest.raises(ArgumentError, match=r"\(rank 3\).*\(rank 4\).*clip\[None\]"):
        ChannelSwap()(np.zeros(shape, np.float32), training=training)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"seed": "1"}, "seed must be an integer"), ({"data_format": None}, "data_format=None")]
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ChannelSwap(**arguments)
