"""Tests of `ComposedLayer`: policy, config, refused dtypes, saving, graphs and pieces of batches."""

import json
import math
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from audiopipe import composed, configs, layers
from audiopipe.errors import ArgumentError
from audiopipe.identity import kernel_versions
from audiopipe.layers import STFT, ComposedLayer, Magnitude, composed_layer

CONFIG_JSON = '{"feature":"MelSpectrogram","note":"Zürich"}'
FUNCTIONS = [
    composed.get_stft_magnitude_layer,
    composed.get_melspectrogram_layer,
    composed.get_log_frequency_spectrogram_layer,
]


def small_mel(**arguments):
    return composed.get_melspectrogram_layer(n_fft=256, sample_rate=16000, n_mels=21, return_decibel=True, **arguments)


def waveforms(batch=2, time=1000, channels=1):
    return (0.1 * np.random.default_rng(0).standard_normal((batch, time, channels))).astype(np.float32)


def model_around(layer):
    """Returns a model that contains another model with the layer."""
    inputs = keras.Input((None, 1))
    inner = keras.Sequential([keras.Input((None, 1)), layer], name="inner")
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inner(inputs)))


@pytest.fixture
def mel():
    layer = small_mel()
    layer.config_json = CONFIG_JSON
    return layer


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("called", [False, True], ids=["never called", "called"])
def test_a_layer_saved_alone_keeps_its_config_and_values(mel, called, tmp_path):
    if called:
        mel(waveforms())
    mel.save(tmp_path / "mel.keras")
    loaded = keras.saving.load_model(tmp_path / "mel.keras")
    assert isinstance(loaded, ComposedLayer)
    assert loaded.config_json == CONFIG_JSON
    np.testing.assert_array_equal(loaded(waveforms()), mel(waveforms()))


def test_a_layer_inside_nested_models_keeps_its_config_and_values(mel, tmp_path):
    model = model_around(mel)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("inner").get_layer(mel.name).config_json == CONFIG_JSON
    np.testing.assert_array_equal(loaded(waveforms()), model(waveforms()))


def test_the_config_is_readable_from_the_keras_file_without_tensorflow(mel, tmp_path):
    model_around(mel).save(tmp_path / "model.keras")
    saved = zipfile.ZipFile(tmp_path / "model.keras").read("config.json")
    inner = next(layer for layer in json.loads(saved)["config"]["layers"] if layer["class_name"] == "Sequential")
    configs = [layer["config"].get("config_json") for layer in inner["config"]["layers"]]
    assert configs == [None, CONFIG_JSON]


def constants(saved_model):
    """Returns the strings in the graph of a SavedModel by the name of their node."""
    message = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    functions = message.meta_graphs[0].graph_def.library.function
    nodes = [node for function in functions for node in function.node_def if node.op == "Const"]
    return {node.name.split("/")[-1]: node.attr["value"].tensor.string_val for node in nodes}


def save_with_tensorflow(model, path):
    tf.saved_model.save(model, path)


def export_with_keras(model, path):
    model.export(path, verbose=False)


@pytest.mark.cases(2)
@pytest.mark.parametrize("save", [save_with_tensorflow, export_with_keras])
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "nested"])
def test_the_config_is_a_constant_in_a_saved_model(mel, nested, save, tmp_path):
    model = model_around(mel) if nested else mel
    model(waveforms())
    save(model, tmp_path / "saved")
    [stamp] = constants(tmp_path / "saved")["audiopipe_config"]
    config = json.loads(CONFIG_JSON)
    assert json.loads(stamp) == {"config": config, "kernel_version": kernel_versions.VERSIONS[config["feature"]]}


def test_a_layer_without_a_config_saves_none(tmp_path):
    layer = small_mel()
    layer(waveforms())
    layer.export(tmp_path / "saved", verbose=False)
    assert "audiopipe_config" not in constants(tmp_path / "saved")
    assert ComposedLayer.from_config(layer.get_config()).config_json is None


@pytest.mark.cases(6)
@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("called", [False, True], ids=["never called", "called"])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("policy_at_load", ["float32", "mixed_float16"])
def test_a_saved_layer_keeps_the_dtype_of_its_result_whatever_the_policy_at_load(
    policy, policy_at_load, called, keras_settings, tmp_path
):
    keras_settings.set_dtype_policy(policy)
    layer = small_mel()
    values = waveforms().astype(np.float64) / 3  # only a float64 layer keeps all of their digits
    if called:
        layer(values)
    layer.save(tmp_path / "mel.keras")
    expected = layer(values)
    keras_settings.set_dtype_policy(policy_at_load)
    actual = keras.saving.load_model(tmp_path / "mel.keras")(values)
    assert actual.dtype == expected.dtype
    assert tf.reduce_all(actual == expected)


def test_a_policy_set_after_the_layer_was_made_does_not_affect_it(keras_settings):
    layer = small_mel()
    expected = layer(waveforms())
    keras_settings.set_dtype_policy("mixed_bfloat16")
    model = model_around(layer)
    np.testing.assert_array_equal(model.get_layer("inner")(waveforms()), expected)


def test_the_dtype_of_the_result_can_be_chosen():
    layers = [STFT(256), Magnitude()]
    halved = ComposedLayer(layers, output_dtype="float16")(waveforms())
    assert halved.dtype == tf.float16
    np.testing.assert_array_equal(halved, tf.cast(ComposedLayer(layers)(waveforms()), tf.float16))


def test_a_complex_result_is_never_cast():
    stft = STFT(256)
    actual = ComposedLayer([stft], output_dtype="float16")(waveforms())
    assert actual.dtype == tf.complex64
    np.testing.assert_array_equal(actual, stft(waveforms()))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_single_layers_compute_the_same_one_by_one_and_in_a_new_sequential(function):
    layer = function(return_decibel=True)
    expected = layer(waveforms(time=5000))
    new_model = keras.Sequential([keras.Input((None, 1)), *layer.layers])
    np.testing.assert_array_equal(new_model(waveforms(time=5000)), expected)
    step_by_step = waveforms(time=5000)
    for part in layer.layers:
        step_by_step = part(step_by_step)
    np.testing.assert_array_equal(step_by_step, expected)


@pytest.mark.cases(6)
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "bool"])
def test_integer_waveforms_are_refused_with_advice_on_scaling(function, dtype):
    layer = function()
    message = rf"dtype={dtype} in ComposedLayer '{layer.name}'.*astype\('float32'\) / 32768"
    with pytest.raises(ArgumentError, match=message):
        layer(np.ones((1, 4096, 1), dtype))
    with pytest.raises(ArgumentError, match=message):
        layer(keras.Input((None, 1), dtype=dtype))
    with pytest.raises(ArgumentError, match=message):
        layer.predict(np.ones((1, 4096, 1), dtype), verbose=0)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_one_layer_accepts_every_batch_size_length_and_number_of_channels(data_format):
    layer = small_mel(input_data_format=data_format, output_data_format="channels_last")
    for shape in ((1, 300, 1), (3, 1000, 1), (2, 600, 2)):
        values = waveforms(*shape)
        given = values if data_format == "channels_last" else np.swapaxes(values, 1, 2)
        fresh = small_mel(input_data_format=data_format, output_data_format="channels_last")
        np.testing.assert_array_equal(layer(given), fresh(given))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_layer_exported_after_one_call_accepts_every_batch_size_and_length(data_format, tmp_path):
    layer = small_mel(input_data_format=data_format, output_data_format="channels_last")
    one, other = waveforms(1, 300, 2), waveforms(3, 1000, 2)
    if data_format == "channels_first":
        one, other = np.swapaxes(one, 1, 2), np.swapaxes(other, 1, 2)
    layer(one)
    layer.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported").serve(other)
    np.testing.assert_array_equal(served, layer(other))


def test_a_wrong_rank_is_refused_with_advice():
    with pytest.raises(ArgumentError, match=r"waveform\[None, :, None\]"):
        small_mel()(np.zeros(16000, np.float32))


def test_adding_or_removing_a_layer_removes_the_config():
    layer = configs.MelSpectrogram(n_fft=512, n_mels=20).layer()
    assert layer.config_json is not None
    layer.add(keras.layers.Dense(2))
    assert layer.config_json is None
    layer.pop()
    assert layer.config_json is None


@pytest.mark.parametrize(
    "make", [lambda: layers.STFT(256), layers.MelSpectrogram, layers.Energy, lambda: layers.Frame(9, 3)]
)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int16"])
def test_single_layers_also_refuse_half_precision_and_integer_waveforms(make, dtype):
    layer = make()
    shape = [2, 4096] if isinstance(layer, layers.MelSpectrogram) else [2, 4096, 1]
    with pytest.raises(ArgumentError, match=f"dtype={dtype} in {type(layer).__name__} "):
        layer(tf.zeros(shape, dtype))


@pytest.mark.parametrize("make", [layers.MagnitudeToDecibel, lambda: layers.Power(2.0)])
def test_integers_are_refused_by_layers_that_compute_with_magnitudes(make):
    with pytest.raises(ArgumentError, match=r"must have a real floating-point dtype. Received: dtype=int32"):
        make()(tf.ones([1, 2, 3, 1], tf.int32))


def test_eager_calls_after_the_first_share_one_graph_for_every_batch_and_length():
    layer = small_mel()
    for batch, time in ((2, 300), (1, 1000), (3, 400), (2, 100)):
        layer(waveforms(batch, time))
    _, graph = layer._eager.last
    assert graph.experimental_get_tracing_count() == 1


def test_an_eager_call_uses_layers_added_or_removed_since_the_last_call():
    layer, samples = small_mel(), waveforms()
    before = [layer(samples).numpy() for _ in range(2)][1]
    decibels = layer.pop()
    magnitudes = [layer(samples).numpy() for _ in range(2)][1]
    assert (magnitudes > 0).all()
    np.testing.assert_array_equal(decibels(magnitudes), before)
    layer.add(decibels)
    for _ in range(3):
        np.testing.assert_array_equal(layer(samples), before)


def test_random_layers_draw_again_in_every_eager_call_and_only_in_training():
    swap = layers.ChannelSwap(data_format="channels_last", seed=0)
    layer = ComposedLayer([STFT(n_fft=64), Magnitude(), swap])
    samples = waveforms(batch=1, time=200, channels=5)
    plain = layer(samples).numpy()
    np.testing.assert_array_equal(layer(samples), plain)
    drawn = {layer(samples, training=True).numpy().tobytes() for _ in range(8)}
    assert len(drawn) > 1


def test_the_gradient_of_an_eager_call_equals_that_of_a_graph():
    layer, samples = small_mel(), tf.constant(waveforms())

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(samples)
            total = tf.reduce_sum(function(samples))
        return tape.gradient(total, samples)

    expected = gradient(tf.function(layer))
    assert np.abs(expected).max() > 0
    for _ in range(2):
        np.testing.assert_array_equal(gradient(layer), expected)


def pieces_of(graph):
    """Returns the number of clips in each piece of a batch that a traced graph computes."""
    calls = [
        node for node in graph.graph.get_operations() if node.type in ("PartitionedCall", "StatefulPartitionedCall")
    ]
    # Calls with inputs of another dtype belong to XLA.
    return [call.outputs[0].shape[0] for call in calls if call.inputs[0].dtype == tf.float32]


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    ("batch", "seconds", "pieces"),
    [(16, 10, [2] * 8), (70, 1, [16] * 4 + [6]), (3, 60, [1, 1, 1]), (4, 1, []), (1, 60, [])],
    ids=["16 clips of 10 s", "70 of 1 s", "3 of 60 s", "4 of 1 s", "one clip"],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_graph_computes_a_batch_of_known_size_in_pieces_of_about_a_quarter_of_a_million_samples(
    batch, seconds, pieces, data_format
):
    layer = composed.get_melspectrogram_layer(
        n_fft=400, hop_length=160, sample_rate=16000, n_mels=80, input_data_format=data_format
    )
    shape = [batch, 16000 * seconds, 1] if data_format == "channels_last" else [batch, 1, 16000 * seconds]
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec(shape))
    assert pieces_of(graph) == pieces


@pytest.mark.parametrize(
    "shape", [[None, 160000, 1], [16, None, 1], [16, 160000, None]], ids=["batch", "length", "channels"]
)
def test_a_batch_of_unknown_size_is_computed_in_one_piece(shape):
    assert pieces_of(tf.function(small_mel()).get_concrete_function(tf.TensorSpec(shape))) == []


def test_a_batch_in_a_tf_data_map_is_computed_in_one_piece():
    traced = []
    layer = composed.get_melspectrogram_layer(n_fft=400, hop_length=160, sample_rate=16000, n_mels=80)

    def compute(batch):
        feature = layer(batch)
        traced.append(pieces_of(feature))
        return feature

    tf.data.Dataset.from_tensors(tf.zeros([4, 320000, 1])).map(compute)
    assert traced == [[]]
    tf.function(compute)(tf.zeros([4, 320000, 1]))
    assert traced[1] == [1, 1, 1, 1]


def test_a_spectrogram_with_more_values_than_samples_is_computed_in_one_piece():
    layer = composed.get_stft_magnitude_layer(n_fft=512, hop_length=128)
    assert pieces_of(tf.function(layer).get_concrete_function(tf.TensorSpec([16, 160000, 1]))) == []


@pytest.mark.cases(1)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_batch_computed_in_pieces_has_the_same_bits_as_single_clips(monkeypatch, channels):
    monkeypatch.setattr(composed_layer, "PIECE_SAMPLES", 3000)
    layer, clips = small_mel(), waveforms(70, 1000, channels)
    alone = [layer(clip[None])[0] for clip in clips]
    for batch in (4, 5, 16, 33, 70):
        graph = tf.function(layer).get_concrete_function(tf.TensorSpec([batch, 1000, channels]))
        assert sum(pieces_of(graph)) == batch
        assert pieces_of(graph)[0] == max(round(3 / channels), math.ceil(batch / composed_layer.MAX_PIECES))
        np.testing.assert_array_equal(graph(tf.constant(clips[:batch])), alone[:batch])


def test_the_gradient_of_a_batch_computed_in_pieces_equals_that_of_single_clips(monkeypatch):
    monkeypatch.setattr(composed_layer, "PIECE_SAMPLES", 1000)
    layer, clips = small_mel(), tf.constant(waveforms(5))

    def gradient(compute, samples):
        with tf.GradientTape() as tape:
            tape.watch(samples)
            total = tf.reduce_sum(compute(samples))
        return tape.gradient(total, samples)

    in_pieces = tf.function(lambda samples: gradient(layer, samples))(clips)
    alone = tf.concat([gradient(layer, clip[None]) for clip in clips], axis=0)
    np.testing.assert_allclose(in_pieces, alone, rtol=0, atol=1e-6 * np.abs(alone).max())


def test_a_model_that_computes_in_pieces_can_be_trained_and_exported(monkeypatch, tmp_path):
    monkeypatch.setattr(composed_layer, "PIECE_SAMPLES", 1000)
    clips, labels = waveforms(6), np.arange(6.0)
    inputs = keras.Input(batch_shape=(3, 1000, 1))
    values = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(small_mel()(inputs)))
    model = keras.Model(inputs, values)
    model.compile(loss="mse")
    model.fit(tf.data.Dataset.from_tensor_slices((clips, labels)).batch(3, drop_remainder=True), verbose=0)
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded.serve(clips[:3]), model.predict_on_batch(clips[:3]), rtol=0, atol=1e-4)
