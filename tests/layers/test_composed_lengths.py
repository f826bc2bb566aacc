"""Tests of `lengths` of composed layers: each clip of a padded batch is computed from its own samples alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiopipe import Transform, composed, configs
from audiopipe.errors import ArgumentError

LAST = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
SMALL = {"sample_rate": 8000, "n_fft": 64, "win_length": 50, "hop_length": 20, "n_mels": 5, "channels": None}
LENGTHS = np.array([500, 123, 0, 260, 25], np.int32)

CONFIGS = {
    "normalized, masked, padded with 0": configs.LogMel(
        **SMALL, **LAST, pad_mode="reflect", normalization="clip", masked_frames=1, padding_value=0.0
    ),
    "gain, channels first, affine step": configs.LogMel(
        **SMALL, **FIRST, gain=32768.0, padding_value=0.0, center_value=-4.0, scale_value=8.0, stack_frames=2
    ),
    "decibels": configs.LogMel(**SMALL, **LAST, edges="snip", log="db", top_db=30.0),
    "fixed length": configs.LogMel(**SMALL, **LAST, clip_seconds=0.04, short_clips="repeat"),
    "phase": configs.StftMagPhase(sample_rate=8000, n_fft=64, return_decibel=True, channels=None, **FIRST),
}


def batch(config, channels=2):
    """Returns a batch, with noise beyond the ends of its clips, in the layout of the config, and its feature."""
    rows = np.random.default_rng(0).uniform(-0.5, 0.5, (len(LENGTHS), 500, channels)).astype(np.float32)
    expected = Transform(config)(rows, lengths=LENGTHS)
    return (rows.transpose(0, 2, 1) if config.input_data_format == "channels_first" else rows), expected


def assert_same_bits(found, expected):
    found = np.asarray(found)
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), strict=True)


def model_of(layer, shape):
    audio, lengths = keras.Input(shape), keras.Input((), dtype="int32")
    return keras.Model([audio, lengths], layer(audio, lengths=lengths))


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", CONFIGS)
def test_bits_are_those_of_the_transform_eagerly_in_graphs_and_in_models(name):
    config = CONFIGS[name]
    rows, expected = batch(config)
    layer = config.layer()
    for _ in range(2):  # the first call runs without a graph
        assert_same_bits(layer(rows, lengths=LENGTHS), expected)
    assert_same_bits(tf.function(layer)(rows, lengths=LENGTHS.astype(np.int64)), expected)
    known = [2, None] if config.input_data_format == "channels_first" else [None, 2]
    model = model_of(config.layer(), known)  # whose graph knows neither the batch nor the length of its rows
    assert_same_bits(model([rows, LENGTHS]), expected)
    assert model.output_shape == layer.compute_output_shape((None, *known))


def test_lengths_make_a_clip_independent_of_what_follows_it_and_rows_are_clips_without_them():
    config = CONFIGS["normalized, masked, padded with 0"]
    rows, _ = batch(config)
    layer = config.layer()
    alone = np.asarray(layer(rows[1:2, :123]))[0]
    assert_same_bits(np.asarray(layer(rows, lengths=LENGTHS))[1, : len(alone)], alone)
    assert np.all(np.asarray(layer(rows, lengths=LENGTHS))[1, len(alone) :] == 0)
    assert not np.array_equal(np.asarray(layer(rows))[1, : len(alone)], alone)
    assert_same_bits(layer(rows), Transform(config)(rows))


@pytest.mark.faults
def test_saved_models_keep_lengths_and_padding(tmp_path):
    config = CONFIGS["gain, channels first, affine step"]
    rows, expected = batch(config)
    model = model_of(config.layer(), (2, None))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_bits(loaded([rows, LENGTHS]), expected)
    assert loaded.layers[-1].config_json == config.to_json()
    model.export(str(tmp_path / "saved"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved")).serve
    assert_same_bits(served([rows, LENGTHS]), expected)


def test_a_model_with_lengths_is_trained_and_predicts_without_xla():
    layer = composed.get_log_mel_layer(sample_rate=8000, n_fft=64, hop_length=20, n_mels=5, normalization="clip")
    audio, lengths = keras.Input((None, 1)), keras.Input((), dtype="int32")
    pooled = keras.layers.GlobalAveragePooling2D()(layer(audio, lengths=lengths))
    model = keras.Model([audio, lengths], keras.layers.Dense(1)(pooled))
    model.compile("sgd", "mse")
    rows = np.random.default_rng(0).standard_normal((5, 500, 1)).astype(np.float32)
    loss = model.fit([rows, LENGTHS], np.zeros(5), verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert model.predict([rows, LENGTHS], verbose=0).shape == (5, 1)


def test_half_precision_casts_the_result_alone():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = composed.get_log_mel_layer(**{name: SMALL[name] for name in ("n_fft", "hop_length", "n_mels")})
    finally:
        keras.config.set_dtype_policy("float32")
    found = np.asarray(layer(np.ones((2, 500, 1), np.float32), lengths=np.array([500, 200])))
    assert found.dtype == np.float16
    assert np.all(found[1, 11:] == np.float16(np.log(np.float32(1e-10))))


def test_gradients_reach_the_samples_of_each_clip_and_no_others():
    layer = composed.get_log_mel_layer(sample_rate=8000, n_fft=64, hop_length=20, n_mels=5, normalization="clip")
    rows = tf.constant(np.random.default_rng(0).standard_normal((2, 300, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        loss = tf.reduce_sum(layer(rows, lengths=np.array([300, 180])) ** 3)
    gradient = tape.gradient(loss, rows).numpy()[..., 0]
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient[1, 180:] == 0)
    assert np.any(gradient[1, :180] != 0)


def test_wrong_lengths_are_refused():
    layer, rows = CONFIGS["decibels"].layer(), np.zeros((2, 100, 1), np.float32)
    in_graph = tf.function(
        lambda lengths: layer(rows, lengths=lengths), input_signature=[tf.TensorSpec([None], tf.int32)]
    )
    for lengths in (np.array([1.0, 2.0]), np.array(3), np.array([[1, 2]]), ["a", "b"]):
        with pytest.raises(ArgumentError, match=r"lengths must be integers \[batch\]"):
            layer(rows, lengths=lengths)
    for lengths, message in (([101, 1], "at most the samples"), ([-1, 1], "at least 0"), ([1], "one length for each")):
        with pytest.raises(ArgumentError, match=r"lengths must be 2 integers of 0 \.\. 100, .*Received: \["):
            layer(rows, lengths=lengths)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            in_graph(tf.constant(lengths))
    _, istft = composed.get_perfectly_reconstructing_stft_istft(n_fft=64, hop_length=16)
    with pytest.raises(ArgumentError, match="the input must be a waveform"):
        istft(np.zeros((2, 4, 33, 1), np.complex64), lengths=[1, 2])


def test_a_graph_pads_each_quantity_of_channels_whose_number_it_does_not_know():
    layer = composed.get_stft_mag_phase((None, 2), n_fft=32, hop_length=16, return_decibel=True)
    rows = np.random.default_rng(0).standard_normal((2, 200, 3)).astype(np.float32)
    graph = tf.function(
        lambda rows, lengths: layer(rows, lengths=lengths),
        input_signature=[tf.TensorSpec([None, None, None]), tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    lengths = np.array([200, 90], np.int32)
    np.testing.assert_array_equal(graph(rows, lengths), layer(rows, lengths=lengths))
