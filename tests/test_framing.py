"""Sizes and counts of frames."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.framing import Framing


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
def test_a_window_is_as_long_as_the_transform_and_hops_by_a_quarter(given_sizes, win_length, hop_length):
    framing = Framing.resolve(**given_sizes)
    assert (framing.win_length, framing.hop_length) == (win_length, hop_length)


@pytest.mark.parametrize("n_fft", [1, 2, 400, 401, 2048])
def test_frequency_bins_are_those_of_a_real_transform(n_fft):
    assert Framing.resolve(n_fft=n_fft).n_freq == len(np.fft.rfftfreq(n_fft))


def frames_that_fit(n_samples, framing):
    """Count the starts of frames one by one."""
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
def test_the_number_of_frames_is_that_of_frames_counted_one_by_one(framing, n_samples):
    assert framing.n_frames(n_samples) == frames_that_fit(n_samples, framing)


@given(framings, st.lists(st.integers(0, 200), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_arrays_and_tensors_of_lengths_give_the_counts_of_their_values(framing, lengths):
    counts = [frames_that_fit(length, framing) for length in lengths]
    of_array = framing.n_frames(np.array(lengths))
    of_tensor = framing.n_frames(tf.constant(lengths))
    assert isinstance(of_array, np.ndarray)
    assert of_array.tolist() == counts
    assert of_tensor.dtype == tf.int32
    assert of_tensor.numpy().tolist() == counts


def test_hops_longer_than_the_transform_need_no_zeros_at_the_beginning():
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
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(ArgumentError, match=message):
        Framing.resolve(**sizes)
