"""Transforms of ragged tensors, which carry the lengths of their clips."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from silent_configs import noise, transform_of

from audiopipe.errors import ArgumentError

LENGTHS = (900, 0, 63, 64, 300)


def ragged(clips):
    return tf.RaggedTensor.from_row_lengths(np.concatenate(clips), [len(clip) for clip in clips])


def check(features, clips, transform):
    """Asserts that a ragged tensor has one row per clip, with the bits of the clip alone."""
    config = transform.config
    assert isinstance(features, tf.RaggedTensor)
    assert features.dtype == tf.float32
    assert features.shape.as_list() == [len(clips), *config.feature_shape(None, config.channels or clips[0].shape[1])]
    assert features.nrows() == len(clips)
    for feature, clip in zip(features, clips, strict=True):
        feature = feature.to_tensor() if isinstance(feature, tf.RaggedTensor) else feature
        alone = transform(clip)
        if alone.size:
            np.testing.assert_array_equal(feature, alone, strict=False)
        else:
            assert tf.size(feature) == 0


@given(
    name=st.sampled_from(["StftMagPhase", "phase-channels-first"]),
    lengths=st.lists(st.sampled_from([0, 10, 63, 64, 170, 900, 1500]), min_size=1, max_size=4),
    channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_each_row_has_the_bits_of_its_clip(name, lengths, channels, seed):
    transform = transform_of(name)
    clips = noise(lengths, transform.config.channels or channels, seed)
    check(transform(ragged(clips)), clips, transform)


def test_graphs_and_tf_data_give_the_same_rows():
    transform = transform_of("phase-channels-first")
    clips = noise(LENGTHS, transform.config.channels or 2)
    eager = transform(ragged(clips))
    check(eager, clips, transform)
    unknown = tf.RaggedTensorSpec([None, None, clips[0].shape[1]], tf.float32, ragged_rank=1)
    graph = tf.function(transform, input_signature=[unknown])
    elements = tf.data.Dataset.from_tensors(ragged(clips))
    mapped = elements.map(transform)
    pairs = tf.data.Dataset.zip(elements, tf.data.Dataset.range(1)).map(transform)
    [(feature, number)] = pairs
    assert number == 0
    for found in (graph(ragged(clips)), next(iter(mapped)), feature):
        np.testing.assert_array_equal(found.flat_values, eager.flat_values)
        for one, other in zip(found.nested_row_splits, eager.nested_row_splits, strict=True):
            np.testing.assert_array_equal(one, other)
    assert mapped.element_spec.shape.as_list()[1:] == eager.shape.as_list()[1:]


@pytest.mark.parametrize("known", [True, False], ids=["channels known", "channels unknown"])
def test_ragged_batches_of_mappings_have_the_lengths_that_they_carry(known):
    transform = transform_of("phase-channels-first")
    config = transform.config
    clips = noise(LENGTHS, config.channels or 2)
    signature = {
        "audio": tf.TensorSpec([None, clips[0].shape[1] if known else None], tf.float32),
        "n_samples": tf.TensorSpec([], tf.int64),
    }
    # n_samples says nothing that the ragged tensor does not say, so wrong numbers do no harm.
    elements = tf.data.Dataset.from_generator(
        lambda: ({"audio": clip, "n_samples": 1} for clip in clips), output_signature=signature
    )
    [batch] = elements.ragged_batch(len(clips)).map(transform)
    np.testing.assert_array_equal(batch["n_frames"], [config.n_frames(length) for length in LENGTHS])
    np.testing.assert_array_equal(batch["n_samples"], [1] * len(clips))
    assert "audio" not in batch
    np.testing.assert_array_equal(batch["feature"].flat_values, transform(ragged(clips)).flat_values)
    [eager] = elements.ragged_batch(len(clips))
    np.testing.assert_array_equal(transform(eager)["feature"].flat_values, batch["feature"].flat_values)


def test_mono_clips_need_no_channel_axis_and_channels_are_mixed_down_as_in_a_clip():
    transform = transform_of("MelSpectrogram")
    clips = noise(LENGTHS, 1)
    mono = tf.RaggedTensor.from_row_lengths(np.concatenate(clips)[:, 0], LENGTHS)
    check(transform(mono), clips, transform)
    check(transform(tf.cast(mono, tf.float64)), clips, transform)
    check(transform(ragged(noise(LENGTHS, 3))), noise(LENGTHS, 3), transform)


def test_gradients_of_ragged_and_padded_batches_are_those_of_the_clips_alone():
    transform, lengths = transform_of("decibel-kept-channels"), [300, 170]
    clips = [tf.constant(clip) for clip in noise(lengths, 1)]
    together = tf.RaggedTensor.from_row_lengths(tf.concat(clips, axis=0), lengths)
    padded = together.to_tensor()
    with tf.GradientTape() as tape:
        tape.watch([together.flat_values, padded, *clips])
        total = tf.reduce_sum(transform(together).flat_values) + tf.reduce_sum(transform(padded, lengths=lengths))
        total += sum(tf.reduce_sum(transform(clip)) for clip in clips)
    of_ragged, of_padded, *alone = tape.gradient(total, [together.flat_values, padded, *clips])
    np.testing.assert_array_equal(of_ragged, tf.concat(alone, axis=0))
    np.testing.assert_array_equal(of_padded, tf.ragged.stack(alone).to_tensor())


def test_a_ragged_feature_can_be_padded_with_the_padding_of_the_config():
    transform = transform_of("StftMagPhase")
    clips = noise(LENGTHS, 2)
    found = transform(ragged(clips)).to_tensor(transform.config.padding)
    batch = tf.RaggedTensor.from_row_lengths(np.concatenate(clips), LENGTHS).to_tensor()
    np.testing.assert_array_equal(found, transform(batch, lengths=LENGTHS))


@pytest.mark.parametrize("name", ["StftMagPhase", "phase-channels-first"])
def test_no_clips_and_empty_clips_give_no_frames(name):
    transform = transform_of(name)
    for lengths in ([], [0], [0, 3]):
        clips = tf.RaggedTensor.from_row_lengths(np.zeros((sum(lengths), 2), np.float32), np.array(lengths, np.int64))
        features = transform(clips)
        assert features.nrows() == len(lengths)
        assert features.shape.as_list() == [len(lengths), *transform.config.feature_shape(None, 2)]
        assert tf.size(features.flat_values) == 0


def test_lengths_beside_a_ragged_tensor_are_refused():
    with pytest.raises(ArgumentError, match=r"must come without lengths.*waveform.to_tensor\(\)"):
        transform_of("MelSpectrogram")(ragged(noise(LENGTHS, 1)), lengths=LENGTHS)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (tf.ragged.constant([[1, 2], [3]]), "floating-point samples"),
        (tf.RaggedTensor.from_row_lengths(tf.zeros([3, 65]), [1, 2]), "at most 64 channels"),
        (tf.RaggedTensor.from_row_lengths(tf.zeros([3, 1, 1]), [1, 2]), r"must be \[batch, \(time\)\] or"),
        (tf.ragged.constant([[[0.0, 0.0], [0.0]]]), r"same number of channels.* Received: 1, 2 channels"),
        (tf.RaggedTensor.from_row_lengths(tf.zeros([3]), [1, 2]), "requires 2 channels"),
    ],
    ids=["integers", "many channels", "rank 4", "unequal channels", "other channels"],
)
def test_ragged_tensors_that_are_no_batch_of_clips_are_refused(clips, message):
    with pytest.raises(ArgumentError, match=message):
        transform_of("StftMagPhase")(clips)


def test_unequal_channels_are_refused_in_a_graph_too():
    clips = noise([100], 1) + noise([100], 2)
    spec = tf.TensorSpec([None, None], tf.float32)
    batches = tf.data.Dataset.from_generator(lambda: iter(clips), output_signature=spec).ragged_batch(2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same number of channels"):
        next(iter(batches.map(transform_of("phase-channels-first"))))
