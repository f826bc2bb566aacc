"""Tests of `Gain`."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import Gain


def test_samples_of_full_scale_become_16_bit_integers_again():
    integers = np.random.default_rng(0).integers(-32768, 32768, (2, 100, 3))
    waveform = (integers / 32768).astype(np.float32)
    np.testing.assert_array_equal(Gain(32768)(waveform), integers)


def test_each_product_is_rounded_once():
    waveform = np.random.default_rng(0).standard_normal((2, 100, 3)).astype(np.float32)
    np.testing.assert_array_equal(Gain(0.3)(waveform), waveform * np.float32(0.3))


def test_a_sample_depends_on_no_earlier_sample():
    waveform = np.random.default_rng(0).standard_normal((2, 100, 3)).astype(np.float32)
    layer = Gain(0.3, "channels_last")
    assert layer.sample_context == 0
    np.testing.assert_array_equal(layer(waveform[:, 40:]), layer(waveform)[:, 40:])


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0, "factor must be at least 1.17549e-38. Received: factor=0"),
        (-1.0, "factor must be at least 1.17549e-38. Received: factor=-1.0"),
        (1e-40, "factor must be at least 1.17549e-38. Received: factor=1e-40"),
        (float("inf"), "factor must be finite"),
        ("2", "factor must be a number"),
    ],
)
def test_an_invalid_factor_is_refused(factor, message):
    with pytest.raises(ArgumentError, match=message):
        Gain(factor)


def test_integers_and_wrong_ranks_are_refused():
    with pytest.raises(ArgumentError, match=r"floating-point samples with full scale 1.0. Received: dtype=int16"):
        Gain(2.0)(np.zeros((1, 5, 1), np.int16))
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, time, channels\). Received: shape=\(2, 5\)"):
        Gain(2.0, "channels_last")(np.zeros((2, 5), np.float32))
