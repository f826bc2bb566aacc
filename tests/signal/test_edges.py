"""Frames at the ends of a clip: numbers of frames and samples, and reflection. Values are in `test_edge_padding.py`."""

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.signal.edges import EdgeFraming, sources

FRAMINGS = [
    EdgeFraming.resolve(n_fft=9, win_length=7, hop_length=3, edges="center"),
    EdgeFraming.resolve(n_fft=8, win_length=7, hop_length=3, edges="same"),
    EdgeFraming.resolve(n_fft=8, win_length=7, hop_length=4, edges="midpoint"),
    EdgeFraming.resolve(n_fft=8, win_length=4, hop_length=3, frame_length=6, edges="snip", window_position="center"),
]
every_framing = pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.edges)


@every_framing
def test_numbers_of_frames_and_samples_are_equal_for_ints_arrays_and_tensors(framing):
    lengths = np.arange(40)
    for function in (framing.n_frames, framing.n_samples, framing.after):
        expected = [function(int(length)) for length in lengths]
        np.testing.assert_array_equal(function(lengths), expected)
        np.testing.assert_array_equal(function(lengths.astype(np.uint32)), expected)
        np.testing.assert_array_equal(function(tf.constant(lengths, tf.int32)), expected)


@every_framing
def test_a_clip_is_extended_from_the_first_sample_of_the_first_window_to_the_last_one_of_the_last(framing):
    for n_samples in range(40):
        starts = framing.window_starts(framing.n_frames(n_samples))
        assert framing.after(n_samples) == max([0, *(starts + framing.win_length - n_samples)])
        assert starts.size == 0 or starts[0] == -framing.before
        assert framing.n_samples(len(starts)) == (starts[-1] - starts[0] + framing.win_length if starts.size else 0)


@pytest.mark.parametrize("pad_mode", ["reflect", "symmetric"])
@pytest.mark.parametrize("n_samples", [1, 2, 3, 10])
def test_reflection_repeats_as_often_as_in_numpy(n_samples, pad_mode):
    expected = np.pad(np.arange(n_samples), 23, mode=pad_mode)
    positions = np.arange(-23, n_samples + 23)
    np.testing.assert_array_equal(sources(positions, n_samples, pad_mode), expected)
    np.testing.assert_array_equal(sources(tf.constant(positions), tf.constant(n_samples, tf.int64), pad_mode), expected)


@pytest.mark.parametrize(
    ("given", "frame_length", "window_position", "pad_mode"),
    [
        ({"edges": "snip"}, 400, "start", None),
        ({"edges": "snip", "window_position": "center"}, 512, "center", None),
        ({"edges": "center"}, 512, "center", "constant"),
        ({"edges": "same"}, 512, "center", "reflect"),
        ({"edges": "midpoint"}, 400, "start", "symmetric"),
        ({"edges": "center", "window_position": "start", "pad_mode": "reflect"}, 400, "start", "reflect"),
    ],
)
def test_what_is_left_out_follows_the_library_that_has_these_edges(given, frame_length, window_position, pad_mode):
    framing = EdgeFraming.resolve(n_fft=512, win_length=400, **given)
    assert (framing.hop_length, framing.frame_length) == (100, frame_length)
    assert (framing.window_position, framing.pad_mode) == (window_position, pad_mode)
    assert EdgeFraming.resolve(**vars(framing)) == framing
