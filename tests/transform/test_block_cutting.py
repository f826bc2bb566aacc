"""Functions that cut a stream of samples into pieces."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import Framing
from audiopipe.transform import block_cutting
from audiopipe.transform.block_cutting import FrameCutter


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


@st.composite
def framings(draw):
    """Draws framings of all kinds, of small sizes."""
    n_fft, hop_length = draw(st.integers(1, 12)), draw(st.integers(1, 15))
    win_length = min(draw(st.integers(1, 12)), n_fft)
    sizes = {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length}
    edges = draw(st.sampled_from(["zeros", "snip", "center", "same", "midpoint"]))
    if edges == "zeros":
        return Framing.resolve(**sizes, pad_begin=draw(st.booleans()), pad_end=draw(st.booleans()))
    frame_length = win_length + draw(st.integers(0, 9))
    if edges == "same":
        frame_length = max(frame_length, hop_length)
    return EdgeFraming.resolve(
        **sizes,
        edges=edges,
        frame_length=frame_length,
        window_position=draw(st.sampled_from(["start", "center"])),
        pad_mode=None if edges == "snip" else draw(st.sampled_from(["constant", "reflect", "symmetric"])),
    )


def windows_of(values, framing):
    """Returns the samples of each window, cut out of the clip as `numpy.pad` extends it."""
    count, room = framing.n_frames(len(values)), 50
    if count == 0:
        return []
    padded = np.pad(values, room, mode=framing.pad_mode or "constant")
    starts = [room - framing.before + number * framing.hop_length for number in range(count)]
    return [padded[start : start + framing.win_length].tolist() for start in starts]


@settings(max_examples=250, deadline=None)
@given(st.integers(1, 80), framings(), st.integers(1, 5), st.integers(0, 4), SIZES)
def test_pieces_hold_the_frames_of_the_extended_clip_and_a_pickled_cutter_goes_on(
    n_samples, framing, least, further, sizes
):
    values = np.arange(1, n_samples + 1)
    cutter = FrameCutter(framing, least=least, most=least + further)
    found, counts = [], []
    for pieces in [*map(cutter.push, stream(values, sizes)), cutter.finish()]:
        cutter = pickle.loads(pickle.dumps(cutter))
        for piece in pieces:
            counts.append((len(piece) - framing.win_length) // framing.hop_length + 1)
            assert len(piece) == framing.n_samples(counts[-1])
            for start in range(0, counts[-1] * framing.hop_length, framing.hop_length):
                found.append(piece[start : start + framing.win_length, 0].tolist())
    assert found == windows_of(values, framing)
    assert all(1 <= count <= least + further for count in counts)


@settings(max_examples=200, deadline=None)
@given(framings())
def test_a_frame_comes_as_soon_as_it_is_certain_and_complete(framing):
    cutter = FrameCutter(framing, least=1, most=1)
    frames = 0
    for n_samples in range(60):
        frames += len(cutter.push(np.zeros((min(n_samples, 1), 1), np.float32)))
        assert frames == block_cutting.certain_frames(framing, n_samples)
        if n_samples % 3 == 0:
            values = np.arange(1.0, n_samples + 1)
            one, another = (windows_of(np.append(values, [following] * 40), framing) for following in (1000, 2000))
            same = [a == b for a, b in zip(one, another, strict=True)][: framing.n_frames(n_samples)]
            assert frames == (same.index(False) if False in same else len(same))


def test_a_cutter_holds_no_more_than_a_few_frames():
    framing = EdgeFraming.resolve(n_fft=400, hop_length=160, pad_mode="reflect")
    cutter = FrameCutter(framing, least=1, most=100)
    for _ in range(20):
        cutter.push(np.zeros((100_000, 1), np.float32))
        assert len(pickle.dumps(cutter)) < 8_000


@pytest.mark.parametrize("channels", [1, 2])
def test_all_channels_are_cut_alike(channels):
    values = np.arange(20 * channels, dtype=np.float32).reshape(20, channels)
    cutter = FrameCutter(Framing.resolve(n_fft=4, hop_length=4), least=5, most=5)
    [piece] = [*cutter.push(values), *cutter.finish()]
    np.testing.assert_array_equal(piece, values)


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, 0), (-1, 1)])
def test_a_length_or_hop_below_one_sample_is_refused(length, hop):
    with pytest.raises(ArgumentError, match="must be at least 1"):
        next(block_cutting.cut([np.zeros((3, 1), np.float32)], length, hop))
