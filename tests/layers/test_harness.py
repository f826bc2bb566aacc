"""Tests that every layer and composed layer must pass. The layers are in `harness.py`."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import CASES

every_layer = pytest.mark.parametrize("case", CASES, ids=str)
every_layer_with_gradients = pytest.mark.parametrize("case", [c for c in CASES if not c.integer_output], ids=str)


def assert_same(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.cases(14)
@every_layer
@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", pytest.param("float16", marks=pytest.mark.faults)]
)
def test_half_precision_policies_cast_the_result_and_nothing_before_it(case, policy, keras_settings):
    values = case.values()
    expected = tf.constant(case.make()(values))
    assert expected.dtype == case.output_dtype(double=False)
    keras_settings.set_dtype_policy(policy)
    if case.last_is_cast:
        expected = tf.cast(expected, keras_settings.dtype_policy().compute_dtype)
    assert_same(case.make()(values), expected)
    assert_same(case.model()(values), expected)


@pytest.mark.cases(20)
@every_layer
def test_a_float64_policy_computes_in_float64(case, keras_settings):
    values = case.values()
    single = case.make()(values).numpy()
    keras_settings.set_dtype_policy("float64")
    wide = values.astype(np.result_type(values, np.float64))
    double = case.make()(wide).numpy()
    assert double.dtype == case.output_dtype(double=True)
    np.testing.assert_allclose(double, single, rtol=0, atol=1e-5 * np.abs(single).max())
    assert np.array_equal(double, single) != case.rounds


@pytest.mark.cases(58)
@every_layer
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float64"])
def test_declared_shape_and_dtype_match_the_output(case, policy, keras_settings):
    keras_settings.set_dtype_policy(policy)
    layer, values = case.make(), case.values()
    real = layer(values)
    for known in itertools.product([True, False], repeat=2):
        shape = case.shape(*known)
        declared = layer.compute_output_spec(keras.KerasTensor(shape, dtype=values.dtype.name))
        assert keras.backend.standardize_dtype(declared.dtype) == real.dtype.name
        fixed = case.fixed_time and shape[case.time_axis] is None
        assert declared.shape.count(None) == shape.count(None) - fixed
        assert all(size in (None, real_size) for size, real_size in zip(declared.shape, real.shape, strict=True))


@pytest.mark.cases(20)
@every_layer
def test_a_saved_model_loads_without_custom_objects_and_gives_equal_values(case, tmp_path):
    values = case.values()
    model = case.model()
    model.save(tmp_path / "model.keras")
    assert_same(keras.saving.load_model(tmp_path / "model.keras")(values), model(values))


@pytest.mark.faults
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param([case for case in CASES if case.time_axis == 1], id="channels last"),
        pytest.param([case for case in CASES if case.time_axis != 1], id="channels first", marks=pytest.mark.faults),
    ],
)
def test_an_exported_model_gives_equal_values(cases, tmp_path):
    # One model of all layers takes half the time of a model for each.
    inputs, values = [case.inputs() for case in cases], [tf.constant(case.values()) for case in cases]
    model = keras.Model(inputs, [case.make()(symbolic) for case, symbolic in zip(cases, inputs, strict=True)])
    model.export(tmp_path / "exported", verbose=False)
    found = tf.saved_model.load(tmp_path / "exported").serve(values)
    for case, result, expected in zip(cases, found, model(values), strict=True):
        np.testing.assert_array_equal(result, expected, err_msg=case.name, strict=True)


@pytest.mark.cases(39)
@every_layer
def test_the_config_survives_json(case, keras_settings):
    layer, values = case.make(), case.values()
    expected = layer(values)
    config = json.loads(json.dumps(layer.get_config()))
    # The settings of the process that loads a layer must not change its results.
    keras_settings.set_image_data_format("channels_first")
    keras_settings.set_dtype_policy("mixed_float16")
    restored = type(layer).from_config(config)
    assert json.loads(json.dumps(restored.get_config())) == config
    assert_same(restored(values), expected)


@pytest.mark.cases(13)
@every_layer
def test_bits_are_equal_in_eager_calls_graphs_and_tf_data(case):
    layer, values, inputs = case.make(), case.values(), case.inputs()
    expected = layer(values)
    assert_same(tf.function(layer)(values), expected)
    # A graph for any batch size and length also has the declared output shape.
    graph = tf.function(layer, input_signature=[tf.TensorSpec(inputs.shape, inputs.dtype)])
    assert_same(graph(values), expected)
    assert graph.get_concrete_function().output_shapes.as_list() == list(layer(inputs).shape)
    dataset = tf.data.Dataset.from_tensors(values).repeat(2).map(layer, num_parallel_calls=2)
    for result in dataset:
        assert_same(result, expected)


@pytest.mark.cases(57)
@every_layer_with_gradients
@pytest.mark.parametrize("loudness", [0, 1e-30, 1], ids=["silence", "near silence", "noise"])
def test_gradients_are_finite(case, loudness):
    layer, values = case.make(), tf.constant(case.values() * np.float32(loudness))
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = tf.math.real(layer(values))
        # A plain sum of normalized values is zero for every clip.
        weights = np.random.default_rng(1).standard_normal(result.shape).astype(np.float32)
        total = tf.reduce_sum(result * weights)
    gradient = tape.gradient(total, values)
    assert gradient.shape == values.shape
    assert np.isfinite(gradient).all()
    if loudness == 1:
        assert np.abs(gradient).max() > 0


@pytest.mark.cases(20)
@every_layer
def test_a_clip_gives_the_same_bits_alone_and_at_every_position_in_a_batch(case):
    layer, values = case.make(), case.values()
    together = np.asarray(layer(values))
    for index in range(len(values)):
        assert_same(np.asarray(layer(values[index : index + 1]))[0], together[index])
    assert_same(np.asarray(layer(values[::-1]))[::-1], together)


@pytest.mark.cases(20)
@every_layer
def test_a_clip_with_nan_does_not_change_other_clips_of_the_batch(case):
    layer, values = case.make(), case.values()
    expected = np.asarray(layer(values))
    values[1] = np.nan
    result = np.asarray(layer(values))
    for index in (index for index in range(len(values)) if index != 1):
        assert_same(result[index], expected[index])


@pytest.mark.cases(6)
@every_layer
def test_xla_gives_the_same_values_up_to_rounding(case):
    layer, values = case.make(), case.values()
    expected = np.asarray(layer(values))
    compiled = np.asarray(tf.function(layer, jit_compile=True)(values))
    assert compiled.dtype == expected.dtype
    np.testing.assert_allclose(compiled, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.cases(10)
@every_layer
def test_threads_that_share_a_new_layer_get_the_same_bits(case):
    values = case.values()
    expected = case.make()(values)
    layer = case.make()  # not built yet, so that the threads build it
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: layer(values), range(4)):
            assert_same(result, expected)


@pytest.mark.cases(7)
@every_layer_with_gradients
def test_the_gradient_equals_finite_differences(case, keras_settings):
    keras_settings.set_dtype_policy("float64")
    generator = np.random.default_rng(1)
    values = case.values()
    values = values.astype(np.result_type(values, np.float64))
    layer = case.make()
    direction = generator.standard_normal(values.shape)
    weights = generator.standard_normal(layer(values).shape)

    def total(shifted):
        return tf.reduce_sum(tf.math.real(layer(shifted)) * weights)

    values_tensor = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values_tensor)
        result = total(values_tensor)
    slope = np.sum(np.real(np.conj(tape.gradient(result, values_tensor).numpy()) * direction))
    step = 1e-6 * np.abs(values).max()
    difference = (total(values + step * direction) - total(values - step * direction)).numpy() / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-4)
