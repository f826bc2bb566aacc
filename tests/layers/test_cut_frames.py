"""Tests of `CutFrames`."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.layers import CutFrames


def spectrograms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("frames", "count", "left"), [(9, 1, 8), (9, 8, 1), (9, 9, 0), (3, 5, 0), (0, 1, 0)])
def test_the_last_frames_are_dropped(frames, count, left):
    batch = spectrograms(2, frames, 3, 2)
    np.testing.assert_array_equal(CutFrames(count, "channels_last")(batch), batch[:, :left])
    first = CutFrames(count, "channels_first")(np.moveaxis(batch, -1, 1))
    np.testing.assert_array_equal(first, np.moveaxis(batch, -1, 1)[:, :, :left])


@pytest.mark.parametrize(("value", "message"), [(0, "at least 1"), (1.0, "an integer"), (None, "an integer")])
def test_invalid_counts_are_refused(value, message):
    with pytest.raises(ArgumentError, match=f"count must be {message}. Received: count={value}"):
        CutFrames(value)


def test_any_rank_but_four_is_refused():
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\)"):
        CutFrames(1)(spectrograms(2, 5, 4))
