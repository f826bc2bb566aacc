"""A feature has the same bits in every door and every batch, for any config and any clip."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from invariance import Clip, Trial, as_layer_input, graph_of_layer, graph_of_transform, layer, transform, trials

from audiopipe import configs, tfdata
from audiopipe.configs import silence
from audiopipe.transform import block_graphs, row_features

# audiopipe warns of filters between two bins, and drawn filterbanks may have such filters.
pytestmark = pytest.mark.filterwarnings("ignore:.*filters reach no frequency bin:UserWarning")

FILLERS = (0.0, 1.0, -1e30, np.nan, np.inf, -np.inf)
STEREO = {"sample_rate": 8000, "n_fft": 256, "hop_length": 150}


def invariant(share=1.0):
    """Returns settings with a share of the profile's examples. Tests that build pipelines and files take longer.

    `make test` tries fewer, because each example traces graphs. `make test-deep` tries thousands.
    """
    deep = settings.get_current_profile_name() == "deep"
    return settings(
        max_examples=max(1, int(share * (settings.default.max_examples if deep else 8))),
        deadline=None,
        # All examples of a test share the fixture that counts cases, on purpose.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def cases(record_property):
    """Counter that each example increments. `make test-deep` prints the total."""
    cases = itertools.count()
    yield cases
    record_property("invariance_cases", next(cases))


def assert_same_bits(found, expected, label):
    """Asserts that all bits are equal, including the sign of zero. All NaN count as equal."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), label
    differ = (found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))
    assert not differ.any(), f"{label}: {differ.sum()} of {differ.size} values differ"


def split_at_padding(config, features, length):
    """Splits a padded feature into the frames of its clip and the padding."""
    axis = config.feature_shape(None, 0).index(None)
    return np.split(features, [config.n_frames(length)], axis=axis)


@invariant()
@given(trial=trials(), padding=st.integers(0, 700), filler=st.sampled_from(FILLERS))
@example(
    trial=Trial(configs.StftMagnitude(sample_rate=8000, n_fft=509, win_length=400), (Clip("noise", 399),)),
    padding=0,
    filler=0.0,
)
def test_a_clip_has_the_same_bits_in_a_padded_batch_as_alone(cases, trial, padding, filler):
    next(cases)
    clips, compute = trial.samples(), transform(trial.config)
    lengths = [len(clip) for clip in clips]
    batch = np.full((len(clips), max(lengths) + padding, clips[0].shape[1]), filler, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    for place, (feature, clip) in enumerate(zip(compute(batch, lengths=lengths), clips, strict=True)):
        of_clip, beyond = split_at_padding(trial.config, feature, len(clip))
        assert_same_bits(of_clip, compute(clip), f"clip {place}")
        padding = trial.config.padding_frame(trial.config.channels or clip.shape[1])
        assert_same_bits(beyond, np.broadcast_to(padding, beyond.shape), f"padding of clip {place}")


@invariant(0.1)
@given(trial=trials(), n_samples=st.integers(1, 3000))
def test_ragged_batches_and_silence_have_the_bits_of_clips(cases, trial, n_samples):
    next(cases)
    clips, compute, config = trial.samples(), transform(trial.config), trial.config
    ragged = tf.RaggedTensor.from_row_lengths(np.concatenate(clips), [len(clip) for clip in clips])
    for place, (feature, clip) in enumerate(zip(compute(ragged), clips, strict=True)):
        feature = feature.to_tensor() if isinstance(feature, tf.RaggedTensor) else feature
        expected = compute(clip)
        assert_same_bits(np.reshape(feature, expected.shape), expected, f"clip {place}")
    zeros, channels = compute(np.zeros((n_samples, clips[0].shape[1]), np.float32)), clips[0].shape[1]
    silent = silence.frame(config.silence, config, config.channels or channels)
    valid, rest = np.split(zeros, [config.valid_frames(n_samples)], axis=config.frame_axis)
    np.testing.assert_array_equal(valid, np.broadcast_to(silent, valid.shape))
    # The last row of stacked frames may hold both.
    assert ((rest == silent) | (rest == config.padding_frame(config.channels or channels))).all()


@invariant()
@given(trial=trials(equal_lengths=True))
# Regression: a clip shorter than a frame, with a transform longer than the window.
@example(Trial(configs.StftMagnitude(sample_rate=8000, n_fft=509, win_length=400), (Clip("noise", 399),)))
@example(Trial(configs.Stft(sample_rate=8000, n_fft=251, win_length=200, channels=None), (Clip("noise", 0, 2),)))
# NumPy adds subnormal numbers and TensorFlow flushes them to zero.
@example(Trial(configs.StftMagPhase(**STEREO), (Clip("smallest", 2283, 5, 1620572829),)))
@example(Trial(configs.Stft(**STEREO), (Clip("subnormal", 2867, 5, 684347308),)))
@example(Trial(configs.Stft(**STEREO), (Clip("every size", 688, 2, 160553652),)))
# A Fourier transform of one sample copies subnormal numbers, and all longer ones flush them to zero.
@example(Trial(configs.Stft(sample_rate=8000, channels=2, n_fft=1, hop_length=1), (Clip("smallest", 1, 2),)))
def test_the_composed_layer_has_the_bits_of_the_transform_in_any_batch_eagerly_and_in_a_graph(cases, trial):
    next(cases)
    clips, compute = trial.samples(), transform(trial.config)
    batch, eager = as_layer_input(trial.config, clips), layer(trial.config)
    expected = [compute(clip) for clip in clips]
    for label, features in {
        "eager": eager(batch),
        "tf.function": graph_of_layer(trial.config)(batch),
        "alone": tf.concat([eager(batch[place : place + 1]) for place in range(len(clips))], axis=0),
    }.items():
        for place, feature in enumerate(expected):
            assert_same_bits(features[place], feature, f"{label}, clip {place}")


@invariant(0.25)
@given(trial=trials(), num_parallel_calls=st.sampled_from([None, 1, 2, 4, tf.data.AUTOTUNE]))
def test_tf_data_and_tf_function_have_the_bits_of_a_call(cases, trial, num_parallel_calls):
    next(cases)
    clips, compute = trial.samples(), transform(trial.config)
    expected = [compute(clip) for clip in clips]
    rows = tf.ragged.constant([clip.ravel().tolist() for clip in clips], ragged_rank=1, dtype=tf.float32)
    elements = tf.data.Dataset.from_tensor_slices(rows).map(lambda row: tf.reshape(row, [-1, clips[0].shape[1]]))
    for place, feature in enumerate(elements.map(compute, num_parallel_calls=num_parallel_calls)):
        assert_same_bits(feature, expected[place], f"tf.data, clip {place}")
    graph = graph_of_transform(trial.config)
    for place, clip in enumerate(clips):
        assert_same_bits(graph(tf.constant(clip)), expected[place], f"tf.function, clip {place}")
    padded = elements.map(lambda clip: {"audio": clip, "n_samples": tf.shape(clip)[0]}).padded_batch(3)
    batches = padded.map(compute, num_parallel_calls=num_parallel_calls)
    features = [feature for batch in batches for feature in batch["feature"].numpy()]
    for place, (feature, clip) in enumerate(zip(features, clips, strict=True)):
        of_clip, _ = split_at_padding(trial.config, feature, len(clip))
        assert_same_bits(of_clip, expected[place], f"padded batch of tf.data, clip {place}")


@invariant(0.3)
@given(trial=trials(finite=True), size=st.integers(1, 1000), frames=st.integers(1, 9))
def test_a_clip_in_blocks_has_the_bits_of_the_whole_clip(cases, trial, size, frames):
    next(cases)
    compute = transform(trial.config)
    with pytest.MonkeyPatch.context() as patch:
        for place, clip in enumerate(trial.samples()):
            if compute.n_frames(len(clip)) == 0:
                continue
            expected = compute(clip)
            patch.setattr(row_features, "LONG_SECONDS", 0)
            patch.setattr(block_graphs, "BLOCK_VALUES", frames * getattr(trial.config.framing, "n_fft", 1))
            found = compute.compute(clip[start : start + size] for start in range(0, len(clip), size))
            assert_same_bits(found, expected, f"clip {place}")


@invariant(0.6)
@given(trial=trials(finite=True), ratio=st.sampled_from([1.0, 1.0, 2.0, 1.378125, 0.5]))
# soxr computes with subnormal numbers, except in a thread of TensorFlow.
@example(Trial(configs.StftMagPhase(**STEREO), (Clip("smallest", 2000),)), 2.0)
@example(Trial(configs.Stft(**STEREO, resampler_quality="QQ"), (Clip("every size", 2000),)), 0.5)
@example(Trial(configs.MelSpectrogram(**STEREO), (Clip("smallest", 1749, 3, 5033655),)), 1.0)
def test_every_door_has_the_bits_that_precompute_writes(cases, trial, ratio):
    next(cases)
    clips, compute = trial.samples(), transform(trial.config)
    rate = int(trial.config.sample_rate * ratio)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place}.wav" for place in range(len(clips))]
        for path, clip in zip(paths, clips, strict=True):
            soundfile.write(path, clip, rate, subtype="FLOAT")
        paths = [path for path in paths if compute.n_frames(len(compute.read(path)))]
        written = [compute.compute(compute.read(path)) for path in paths]
        if not paths:
            return
        read = list(tfdata.from_audio(paths, compute, num_parallel_calls=2).map(compute, num_parallel_calls=2))
        rows = compute({"audio": [{"bytes": path.read_bytes(), "path": None} for path in paths]})
    for place, expected in enumerate(written):
        assert_same_bits(read[place]["feature"], expected, f"tf.data, clip {place}")
        assert_same_bits(rows["feature"][place].reshape(expected.shape), expected, f"datasets, clip {place}")
        if ratio == 1:
            assert_same_bits(compute(clips[int(paths[place].stem)]), expected, f"samples, clip {place}")
