"""Chunk lengths and numbers of frames of Whisper."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal import whisper


@pytest.mark.parametrize(("value", "seconds"), [(30, 30.0), (np.float32(0.25), 0.25), (0.01, 0.01), (None, None)])
def test_chunks_are_whole_frames(value, seconds):
    found = whisper.canonical_chunk_seconds("chunk_seconds", value)
    assert found == seconds
    assert type(found) is type(seconds)


@given(st.integers(1, 8_640_000))
def test_the_canonical_length_in_seconds_keeps_the_number_of_samples(frames):
    seconds = whisper.canonical_chunk_seconds("chunk_seconds", frames * 0.01)
    assert seconds == whisper.canonical_chunk_seconds("chunk_seconds", seconds) == frames / 100
    assert whisper.chunk_samples(seconds) == 160 * frames


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, r"chunk_seconds must be at least 0\.01. Received: chunk_seconds=0"),
        (-30.0, r"chunk_seconds must be at least 0\.01"),
        (
            0.015,
            r"chunk_seconds must be None or a multiple of one frame, 0\.01 seconds. Received: chunk_seconds=0\.015",
        ),
        (1e6, r"chunk_seconds must be at most 86400"),
        ("30", r"chunk_seconds must be a number"),
        (True, r"chunk_seconds must be a number"),
        (float("nan"), r"chunk_seconds must be finite"),
    ],
)
def test_invalid_chunk_lengths_are_refused(value, message):
    with pytest.raises(ArgumentError, match=message):
        whisper.canonical_chunk_seconds("chunk_seconds", value)


@pytest.mark.parametrize(
    ("chunk_seconds", "frames"), [(None, [0, 0, 1, 1, 2, 6250]), (30.0, [3000] * 6), (0.02, [2] * 6)]
)
def test_n_frames_accepts_ints_arrays_and_tensors(chunk_seconds, frames):
    samples = [0, 159, 160, 319, 320, 1_000_000]
    assert [whisper.n_frames(count, chunk_seconds) for count in samples] == frames
    assert whisper.n_frames(np.array(samples), chunk_seconds).tolist() == frames
    assert whisper.n_frames(tf.constant(samples), chunk_seconds).numpy().tolist() == frames
    assert whisper.n_frames(np.uint8(160), chunk_seconds) == frames[2]
