"""Tests of `Frame` against slices of the waveform."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import Frame


def waveforms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def reference(clip, frame_length, hop_length, pad_end=False, pad_value=0.0):
    """Returns the frames of one channel."""
    last_start = len(clip) - 1 if pad_end else len(clip) - frame_length
    clip = np.concatenate([clip, np.full(frame_length, pad_value, np.float32)])
    frames = [clip[start : start + frame_length] for start in range(0, last_start + 1, hop_length)]
    return np.array(frames, np.float32).reshape(-1, frame_length)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("padding", [{}, {"pad_end": True}, {"pad_end": True, "pad_value": -0.25}], ids=str)
@pytest.mark.parametrize(("frame_length", "hop_length"), [(1, 1), (100, 30), (64, 64), (50, 70), (200, 1)])
def test_frames_are_slices_of_the_waveform(frame_length, hop_length, padding, channels):
    batch = waveforms(2, 333, channels)
    frames = [[reference(clip[:, c], frame_length, hop_length, **padding) for c in range(channels)] for clip in batch]
    first = Frame(frame_length, hop_length, **padding, data_format="channels_first")
    np.testing.assert_array_equal(first(np.moveaxis(batch, -1, 1)), np.array(frames))
    last = Frame(frame_length, hop_length, **padding, data_format="channels_last")
    np.testing.assert_array_equal(last(batch), np.moveaxis(frames, 1, -1))


@pytest.mark.parametrize(
    ("time", "pad_end", "frames"), [(0, False, 0), (0, True, 0), (9, False, 0), (9, True, 3), (10, False, 1)]
)
def test_a_clip_shorter_than_a_frame_has_no_frames_unless_padded(time, pad_end, frames):
    layer = Frame(10, 4, pad_end)
    assert layer(np.ones((2, time, 1), np.float32)).shape == (2, frames, 10, 1)
    assert layer.compute_output_shape((2, time, 1)) == (2, frames, 10, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frame_length": 0}, "frame_length must be at least 1. Received: frame_length=0"),
        ({"hop_length": 0}, "hop_length must be at least 1"),
        ({"hop_length": None}, "hop_length must be an integer"),
        ({"pad_end": 1}, "pad_end must be True or False"),
        ({"pad_value": "0"}, "pad_value must be a number"),
        ({"pad_value": float("nan")}, "pad_value must be finite"),
        ({"data_format": "NWC"}, "data_format='NWC'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Frame(**{"frame_length": 10, "hop_length": 5, **arguments})


@pytest.mark.parametrize("shape", [(100,), (1, 100), (1, 1, 100, 1)])
def test_any_rank_but_three_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"of rank 3, \(batch, time, channels\)"):
        Frame(10, 5)(np.zeros(shape, np.float32))


def test_integers_are_refused_with_advice_on_scaling():
    with pytest.raises(ArgumentError, match=r"int16.*/ 32768"):
        Frame(10, 5)(np.zeros((1, 100, 1), np.int16))
