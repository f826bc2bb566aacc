"""Sizes and numbers of frames."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal.framing import CentredFraming, Framing


@pytest.mark.parametrize(
    ("given_sizes", "win_length", "hop_length"),
    [
        ({}, 2048, 512),
        ({"n_fft": 400}, 400, 100),
        ({"n_fft": 512, "win_length": 402}, 402, 100),
        ({"n_fft": 512, "hop_length": 160}, 512, 160),
        ({"n_fft": 3}, 3, 1),
    ],
)
def test_win_length_defaults_to_n_fft_and_hop_length_to_a_quarter_of_win_length(given_sizes, win_length, hop_length):
    framing = Framing.resolve(**given_sizes)
    assert (framing.win_length, framing.hop_length) == (win_length, hop_length)


@pytest.mark.parametrize("n_fft", [1, 2, 400, 401, 2048])
def test_the_number_of_frequency_bins_is_that_of_a_real_transform(n_fft):
    assert Framing.resolve(n_fft=n_fft).n_freq == len(np.fft.rfftfreq(n_fft))


def frames_that_fit(n_samples, framing):
    """Counts the starts of frames one by one."""
    begin = framing.n_fft - framing.hop_length if framing.pad_begin else 0
    padded = n_samples + max(0, begin)
    room = 1 if framing.pad_end else framing.win_length
    return sum(start + room <= padded for start in range(0, padded, framing.hop_length))


framings = st.builds(
    lambda n_fft, shorter, hop_length, pad_begin, pad_end: Framing.resolve(
        n_fft=n_fft,
        win_length=max(1, n_fft - shorter),
        hop_length=hop_length,
        pad_begin=pad_begin,
        pad_end=pad_end,
    ),
    st.integers(1, 40),
    st.integers(0, 20),
    st.integers(1, 50),
    st.booleans(),
    st.booleans(),
)


@given(framings, st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_the_number_of_frames_equals_a_count_one_by_one(framing, n_samples):
    assert framing.n_frames(n_samples) == frames_that_fit(n_samples, framing)


@given(framings, st.lists(st.integers(0, 200), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_n_frames_accepts_arrays_and_tensors_of_lengths(framing, lengths):
    counts = [frames_that_fit(length, framing) for length in lengths]
    of_array = framing.n_frames(np.array(lengths))
    of_tensor = framing.n_frames(tf.constant(lengths))
    assert isinstance(of_array, np.ndarray)
    assert of_array.tolist() == counts
    assert of_tensor.dtype == tf.int32
    assert of_tensor.numpy().tolist() == counts


def test_a_hop_longer_than_the_transform_needs_no_padding_at_the_beginning():
    framing = Framing.resolve(n_fft=8, hop_length=20, pad_begin=True)
    assert framing.begin_padding == 0
    assert framing.n_frames(28) == 2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_fft": 0}, "n_fft must be at least 1. Received: n_fft=0"),
        ({"n_fft": -512}, "n_fft=-512"),
        ({"n_fft": True}, "n_fft must be an integer. Received: n_fft=True"),
        ({"n_fft": 512.0}, "n_fft=512.0"),
        ({"n_fft": float("nan")}, "n_fft=nan"),
        ({"win_length": 0}, "win_length=0"),
        ({"hop_length": -1}, "hop_length=-1"),
        ({"hop_length": "160"}, "hop_length='160'"),
        ({"pad_begin": 1}, "pad_begin must be True or False. Received: pad_begin=1"),
        ({"pad_end": None}, "pad_end=None"),
        ({"n_fft": 512, "win_length": 600}, "win_length=600, n_fft=512. Raise n_fft to at least 600"),
    ],
)
def test_invalid_sizes_are_refused(sizes, message):
    with pytest.raises(ArgumentError, match=message):
        Framing.resolve(**sizes)


def centred(fft_length, sequence_length, sequence_stride, window="hann"):
    return CentredFraming.resolve(
        fft_length=fft_length, sequence_length=sequence_length, sequence_stride=sequence_stride, window=window
    )


@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 80), st.integers(1, 300))
@settings(max_examples=200, deadline=None)
def test_centred_frames_fill_the_padding_of_keras(fft_length, shorter, stride, samples):
    framing = centred(fft_length, max(1, fft_length - shorter), stride)
    padded = samples + 2 * (fft_length // 2)
    assert framing.n_frames(samples) == len(range(0, padded - fft_length + 1, stride)) >= 1
    # The framing leaves out exactly the samples under the zeros around the window.
    before, after = framing.padding
    assert min(before, after) >= 0
    assert fft_length // 2 - before == (fft_length - framing.sequence_length) // 2
    assert samples + before + after - framing.sequence_length == padded - fft_length


def test_centred_framing_counts_frames_for_ints_arrays_and_tensors():
    framing = centred(8, 8, 4)
    counts = [0, 1, 1, 2, 3]
    samples = [0, 1, 3, 4, 8]
    assert [framing.n_frames(count) for count in samples] == counts
    np.testing.assert_array_equal(framing.n_frames(np.array(samples)), counts)
    np.testing.assert_array_equal(framing.n_frames(tf.constant(samples)), counts)
    np.testing.assert_array_equal(framing.n_frames(tf.constant(samples, tf.int64)), counts)


def test_a_centred_frame_without_a_window_is_as_long_as_the_transform():
    assert centred(64, 40, 10, window=None).sequence_length == 64
    assert centred(64, 40, 10).sequence_length == 40
    assert centred(64, None, 10).sequence_length == 64


def test_a_window_of_another_length_is_refused():
    with pytest.raises(ArgumentError, match=r"as many values as sequence_length=4. Received: window with 3 values"):
        centred(8, 4, 2, window=(1.0, 1.0, 1.0))
