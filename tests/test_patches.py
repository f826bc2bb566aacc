"""Patches and copies have the values of tf.signal.frame and of the upstream rules, wherever they are made."""

import math

import datasets
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import Transform, configs, hf, patches, registry, tfdata
from audiopipe.configs import clip_lengths
from audiopipe.errors import ArgumentError

PHASES = configs.StftMagPhase(n_fft=16, channels=None, return_decibel=True, output_data_format="channels_last")
FIRST = configs.StftMagnitude(n_fft=16, hop_length=4, channels=2, output_data_format="channels_first")
VGGISH, YAMNET = (96, "vggish"), (96, "yamnet")


def noise(*shape):
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


def yamnet_samples(n_samples):
    """Returns the number of samples after `pad_waveform` of YAMNet's features.py, with its numbers of params.py."""
    fewest = int((0.96 + 0.025 - 0.010) * 16000)
    beyond_first = max(n_samples, fewest) - fewest
    return fewest + int(0.48 * 16000) * math.ceil(beyond_first / int(0.48 * 16000))


few = settings(max_examples=25, deadline=None)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 30)).filter(lambda found: found[1] <= found[0])


@few
@given(sizes)
def test_whole_patches_are_the_frames_of_tf_signal(case):
    length, hop, frames = case
    feature = noise(frames, 9, 4)
    found = patches.frame_patches(feature, length, PHASES, hop=hop)
    np.testing.assert_array_equal(found, tf.signal.frame(feature, length, hop, axis=0))
    np.testing.assert_array_equal(patches.frame_patches(tf.constant(feature), length, PHASES, hop=hop), found)


@few
@given(sizes)
def test_padded_patches_are_those_of_the_padded_feature_and_cover_every_frame(case):
    length, hop, frames = case
    feature = noise(frames, 9, 4)
    padding = np.broadcast_to(PHASES.padding_frame(2), (length, 9, 4))
    found = patches.frame_patches(feature, length, PHASES, hop=hop, last="pad")
    spanned = (len(found) - 1) * hop + length if len(found) else 0
    assert spanned - hop < max(frames, length) <= spanned or not frames
    expected = tf.signal.frame(np.concatenate([feature, padding])[:spanned], length, hop, axis=0)
    np.testing.assert_array_equal(found, expected)
    of_tensor = patches.frame_patches(tf.constant(feature), length, PHASES, hop=hop, last="pad")
    np.testing.assert_array_equal(of_tensor, found)


@pytest.mark.parametrize("last", ["drop", "pad"])
@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_channels_first_features_batches_and_rows_give_patches_of_their_form(kind, last):
    batch = noise(3, 2, 11, 9)
    found = patches.frame_patches(kind(batch), 4, FIRST, hop=3, last=last)
    assert found.shape == (3, 4 if last == "pad" else 3, 2, 4, 9)
    for one, expected in zip(batch, found, strict=True):
        np.testing.assert_array_equal(patches.frame_patches(kind(one), 4, FIRST, hop=3, last=last), expected)
    mono = configs.StftMagnitude(n_fft=16, return_decibel=True, output_data_format="channels_last")
    rows = [noise(frames, 9) for frames in (3, 11)]
    for row, made in zip(
        rows, patches.frame_patches([kind(row) for row in rows], 4, mono, hop=3, last=last), strict=True
    ):
        expected = patches.frame_patches(row[..., None], 4, mono, hop=3, last=last)
        np.testing.assert_array_equal(made, expected[..., 0])
        first = configs.StftMagnitude(n_fft=16, return_decibel=True, output_data_format="channels_first")
        np.testing.assert_array_equal(patches.frame_patches(kind(row), 4, first, hop=3, last=last), made)


def test_the_dtype_of_a_feature_stays():
    for dtype in (np.float16, np.float64):
        feature = noise(5, 64, 1).astype(dtype)
        for kind in (np.asarray, tf.constant):
            made = patches.frame_patches(kind(feature), 4, "vggish", last="pad")
            assert made.dtype == dtype
            assert (np.asarray(made)[1, 1:] == dtype(registry.get("vggish").padding)).all()


@pytest.mark.parametrize("n_samples", [0, 1, 399, 400, 15599, 15600, 15601, 15760, 23279, 23280, 23281, 30960, 47000])
def test_a_waveform_is_padded_as_by_yamnet(n_samples):
    clip = noise(n_samples)
    found = patches.pad_waveform(clip, *YAMNET, hop=48)
    assert len(found) == yamnet_samples(n_samples)
    np.testing.assert_array_equal(found, np.pad(clip, (0, len(found) - n_samples)))
    stereo = patches.pad_waveform(tf.constant(np.stack([clip, -clip], -1)), *YAMNET, hop=48)
    np.testing.assert_array_equal(stereo, np.stack([found, -found], -1))


@pytest.mark.parametrize(
    "name", ["yamnet", "musicnn-96", "kaldi-fbank-80", "lhotse-fbank-80", "univnet", "seamless-m4t"]
)
def test_a_padded_waveform_gives_whole_patches_and_one_sample_less_does_not(name):
    config = registry.get(name)
    for hop in (None, 5):
        for n_samples in (1, 5000, 12345):
            padded = len(patches.pad_waveform(np.zeros(n_samples, np.float32), 8, config, hop=hop))
            rest = config.n_frames(padded) - 8
            assert rest >= 0
            assert rest % (hop or 8) == 0
            assert config.n_frames(padded - 1) < config.n_frames(padded)
            whole = [clip_lengths.fewest_samples(config, frames) for frames in (8, 8 + (hop or 8))]
            assert rest == 0 or padded - n_samples < whole[1] - whole[0]


def test_patches_of_a_padded_waveform_are_those_of_yamnets_code():
    clip = noise(20000)
    yamnet = Transform("yamnet")
    padded = np.pad(clip, (0, yamnet_samples(20000) - 20000))
    expected = tf.signal.frame(yamnet(padded), 96, 48, axis=0)
    found = patches.frame_patches(yamnet(patches.pad_waveform(clip, *YAMNET, hop=48)), *YAMNET, hop=48)
    np.testing.assert_array_equal(found, expected)
    of_stored = patches.frame_patches(yamnet(clip), *YAMNET, hop=48, last="pad")
    inside = (len(clip) - 400) // 160 + 1
    np.testing.assert_array_equal(of_stored[0], found[0])
    np.testing.assert_array_equal(of_stored[1, : inside - 48], found[1, : inside - 48])
    assert (of_stored[1, inside - 48 :] == np.float32(np.log(0.001))).all()


def test_tf_data_datasets_and_arrays_give_equal_patches():
    vggish = Transform("vggish")
    clips = [noise(n_samples) for n_samples in (15000, 16000, 40000)]
    expected = [patches.frame_patches(vggish(clip), *VGGISH, last="pad") for clip in clips]
    assert [len(one) for one in expected] == [1, 2, 3]
    ragged = tf.data.Dataset.from_generator(lambda: iter(clips), output_signature=tf.TensorSpec([None], tf.float32))
    made = ragged.map(vggish).map(lambda feature: patches.frame_patches(feature, *VGGISH, last="pad"))
    assert made.element_spec.shape == (None, 96, 64, 1)
    rows = datasets.Dataset.from_dict({"audio": [{"array": clip, "sampling_rate": 16000} for clip in clips]})
    mapped = hf.map(rows, vggish, keep_in_memory=True).with_format("numpy")
    of_rows = mapped.map(
        lambda batch: {"patches": patches.frame_patches(list(batch["feature"]), *VGGISH, last="pad")},
        batched=True,
        keep_in_memory=True,
    )
    for one, two, three in zip(made, of_rows, expected, strict=True):
        np.testing.assert_array_equal(one, three)
        np.testing.assert_array_equal(np.asarray(two["patches"], np.float32), three[..., 0])


def test_patches_are_the_sliding_windows_of_tf_data():
    config, feature = registry.get("vggish"), noise(250, 64, 1)
    clips = tf.data.Dataset.from_tensors({"feature": feature, "n_frames": 250})
    windows = [window["feature"] for window in tfdata.sliding_windows(clips, 96, config, hop=48)]
    np.testing.assert_array_equal(patches.frame_patches(feature, 96, config, hop=48, last="pad"), windows)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_copies_are_equal_and_come_before_a_feature(kind):
    batch = noise(2, 7, 3, 1)
    found = patches.stacked_copies(kind(batch), 4)
    assert found.shape == (2, 4, 7, 3, 1)
    for copy in np.moveaxis(np.asarray(found), 1, 0):
        np.testing.assert_array_equal(copy, batch)
    np.testing.assert_array_equal(patches.stacked_copies(kind(batch[0]), 4), found[0])
    np.testing.assert_array_equal(patches.stacked_copies([kind(batch[0, ..., 0])], 4)[0], found[0, ..., 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patches.frame_patches(noise(9, 64, 1), 0, "vggish"), "n_frames must be at least 1"),
        (lambda: patches.frame_patches(noise(9, 64, 1), 4, "vggish", hop=5), "hop must be at most n_frames=4"),
        (lambda: patches.frame_patches(noise(9, 64, 1), 4, "vggish", last="keep"), "last must be one of 'drop', 'pad'"),
        (
            lambda: patches.frame_patches(noise(16, 9, 64), 4, "vggish"),
            r"must be \[frames, 64, 1\].*Received: shape \(16, 9, 64\).*list\(batch\)",
        ),
        (lambda: patches.frame_patches(tf.zeros([9, 80, 1]), 4, "vggish"), r"Received: shape \(9, 80, 1\)"),
        (lambda: patches.frame_patches([[0.5]], 4, "vggish"), r'Received: list\..*with_format\("numpy"\)'),
        (lambda: patches.stacked_copies(noise(9), 4), r"of rank 2 or 3.*shape \(9,\)"),
        (lambda: patches.stacked_copies(noise(9, 64), 0), "count must be at least 1"),
        (lambda: patches.pad_waveform(noise(1, 9, 1), *VGGISH), r"must be \[time\] or \[time, channels\]"),
        (lambda: patches.pad_waveform(noise(9), 10, "ast"), "always has 1024 frames"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
