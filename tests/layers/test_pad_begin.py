"""Tests of `PadBegin`."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import PadBegin


@pytest.mark.parametrize("length", [0, 1, 17])
@pytest.mark.parametrize(("data_format", "widths"), [("channels_last", (0, 1, 0)), ("channels_first", (0, 0, 1))])
def test_zeros_are_added_before_every_channel(data_format, widths, length):
    waveforms = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    expected = np.pad(waveforms, [(length * width, 0) for width in widths])
    np.testing.assert_array_equal(PadBegin(length, data_format)(waveforms), expected)


@pytest.mark.parametrize("length", [-1, 2.0, None, True])
def test_an_invalid_length_is_refused(length):
    with pytest.raises(ArgumentError, match=f"length={length}"):
        PadBegin(length)


def test_any_rank_but_three_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 3, \(batch, time, channels\).*shape=\(16000,\)"):
        PadBegin(3)(np.zeros(16000, np.float32))
