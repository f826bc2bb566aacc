"""Functions that cut a stream of samples into pieces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal.framing import Framing
from audiopipe.transform import block_cutting


def stream(values, sizes):
    """Yields the values in blocks of these sizes, which are repeated and may be 0."""
    start, number = 0, 0
    while start < len(values) or number == 0:
        size = sizes[number % len(sizes)]
        yield np.asarray(values[start : start + size], np.float32)[:, None]
        start, number = start + size, number + 1


SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 60), st.integers(1, 25), st.integers(1, 25), SIZES)
def test_pieces_begin_every_hop_until_one_reaches_the_end(n_samples, length, hop, sizes):
    values = np.arange(n_samples)
    expected = []
    for start in range(0, n_samples, hop):
        expected.append(values[start : start + length].tolist())
        if start + length >= n_samples:
            break
    pieces = [piece[:, 0].tolist() for piece in block_cutting.cut(stream(values, sizes), length, hop)]
    assert pieces == expected


def test_a_piece_comes_as_soon_as_its_samples_have_been_read():
    drawn = []

    def blocks():
        for number in range(50):
            drawn.append(number)
            yield np.zeros((100, 1), np.float32)

    for number, _ in enumerate(block_cutting.cut(blocks(), 30, 10)):
        assert len(drawn) == -(-(10 * number + 30) // 100)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 15),
    st.booleans(),
    st.booleans(),
    st.integers(1, 5),
    SIZES,
)
def test_pieces_hold_the_frames_of_the_padded_waveform(
    n_samples, n_fft, win_length, hop_length, pad_begin, pad_end, frames, sizes
):
    framing = Framing.resolve(
        n_fft=n_fft, win_length=min(win_length, n_fft), hop_length=hop_length, pad_begin=pad_begin, pad_end=pad_end
    )
    values = np.arange(1, n_samples + 1)
    padded = np.concatenate([np.zeros(framing.begin_padding), values, np.zeros(framing.win_length)])
    starts = [number * framing.hop_length for number in range(framing.n_frames(n_samples))]
    expected = [padded[start : start + framing.win_length].tolist() for start in starts]
    found = []
    for piece in block_cutting.whole_frames(stream(values, sizes), framing, frames):
        count = (len(piece) - framing.win_length) // framing.hop_length + 1
        assert 1 <= count <= frames
        for start in range(0, count * framing.hop_length, framing.hop_length):
            found.append(piece[start : start + framing.win_length, 0].tolist())
    assert found == expected


@pytest.mark.parametrize("channels", [1, 2])
def test_all_channels_are_cut_alike(channels):
    values = np.arange(20 * channels, dtype=np.float32).reshape(20, channels)
    framing = Framing.resolve(n_fft=4, hop_length=4)
    [piece] = block_cutting.whole_frames([values], framing, frames=5)
    np.testing.assert_array_equal(piece, values)


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, 0), (-1, 1)])
def test_a_length_or_hop_below_one_sample_is_refused(length, hop):
    with pytest.raises(ArgumentError, match="must be at least 1"):
        next(block_cutting.cut([np.zeros((3, 1), np.float32)], length, hop))
