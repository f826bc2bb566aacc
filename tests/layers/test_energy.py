"""Tests of `Energy` against sums of squares in float64."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import Energy


def waveforms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def reference(clip, sample_rate, ref_duration, frame_length, hop_length, pad_end=False, pad_value=0.0):
    """Computes the energies of one channel."""
    last_start = len(clip) - 1 if pad_end else len(clip) - frame_length
    clip = np.concatenate([clip.astype(np.float64), np.full(frame_length, pad_value)])
    sums = [np.sum(clip[start : start + frame_length] ** 2) for start in range(0, last_start + 1, hop_length)]
    return np.array(sums) * ref_duration / (frame_length / sample_rate)


@pytest.mark.parametrize("padding", [{}, {"pad_end": True, "pad_value": 0.5}], ids=str)
@pytest.mark.parametrize(
    ("sample_rate", "ref_duration", "frame_length", "hop_length"),
    [(22050, 0.1, 2205, 1102), (16000, 0.3, 400, 160), (8000, 1, 1, 7), (8000, 0.1, 127, 200)],
)
def test_energy_equals_a_sum_of_squares_in_float64(sample_rate, ref_duration, frame_length, hop_length, padding):
    batch = waveforms(2, 5000, 2)
    arguments = (sample_rate, ref_duration, frame_length, hop_length)
    expected = np.array([[reference(clip[:, c], *arguments, **padding) for c in range(2)] for clip in batch])
    first = Energy(*arguments, **padding, data_format="channels_first")(np.moveaxis(batch, -1, 1)).numpy()
    np.testing.assert_allclose(first, expected, rtol=1e-6)
    last = Energy(*arguments, **padding, data_format="channels_last")(batch).numpy()
    np.testing.assert_array_equal(last, np.moveaxis(first, 1, -1))


def test_the_defaults_are_a_tenth_of_a_second_at_22050_hertz():
    clip = waveforms(1, 22050, 1)
    expected = reference(clip[0, :, 0], 22050, 0.1, 2205, 1102)
    np.testing.assert_allclose(Energy()(clip)[0, :, 0], expected, rtol=1e-6)


def test_a_long_frame_loses_no_precision():
    clip = 1 + 0.01 * np.abs(waveforms(1, 100_003, 1))
    expected = reference(clip[0, :, 0], 100_003, 1.0, 100_003, 1)
    np.testing.assert_allclose(Energy(100_003, 1.0, 100_003, 1)(clip)[0, :, 0], expected, rtol=3e-7)


def test_silence_has_no_energy_and_nan_stays_in_its_frames():
    clip = np.zeros((1, 100, 1), np.float32)
    clip[0, 45] = np.nan
    energies = Energy(1000, 0.01, 10, 10)(clip).numpy()[0, :, 0]
    np.testing.assert_array_equal(energies, [0, 0, 0, 0, np.nan, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 0}, "sample_rate must be at least 1. Received: sample_rate=0"),
        ({"ref_duration": 0.0}, "ref_duration must be greater than 0"),
        ({"frame_length": -1}, "frame_length must be at least 1"),
        ({"data_format": "NWC"}, "data_format='NWC'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Energy(**arguments)


def test_any_rank_but_three_is_refused():
    with pytest.raises(ArgumentError, match=r"Energy.*of rank 3, \(batch, channels, time\)"):
        Energy(data_format="channels_first")(np.zeros((1, 5000), np.float32))


def test_integers_are_refused_with_advice_on_scaling():
    with pytest.raises(ArgumentError, match=r"int16.*/ 32768"):
        Energy()(np.zeros((1, 5000, 1), np.int16))
