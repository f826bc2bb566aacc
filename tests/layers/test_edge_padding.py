"""Tests of `EdgePadding` against `numpy.pad`, librosa and a sample-by-sample implementation of Kaldi's frames."""

import librosa
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.layers import STFT, EdgePadding
from audiopipe.signal import ops

LAST, FIRST = "channels_last", "channels_first"


def noise(*shape):
    return np.random.default_rng(shape[1]).standard_normal(shape).astype(np.float32)


def windows_of_frames(clip, win_length, hop_length, frame_length, window_position, edges, pad_mode):
    """Returns the samples under the window of each frame of one channel, `[frames, win_length]`."""
    if edges == "midpoint":
        frames = kaldi_frames(clip, frame_length, hop_length, pad_mode)
    else:
        both = {"snip": 0, "center": frame_length // 2, "same": (frame_length - hop_length) // 2}[edges]
        padded = np.pad(clip, both, mode=pad_mode or "constant") if len(clip) else clip
        starts = range(0, len(padded) - frame_length + 1, hop_length)
        frames = [padded[start : start + frame_length] for start in starts]
    offset = (frame_length - win_length) // 2 if window_position == "center" else 0
    return np.array(frames, clip.dtype).reshape(-1, frame_length)[:, offset : offset + win_length]


def kaldi_frames(clip, frame_length, hop_length, pad_mode):
    """Extracts the frames of Kaldi's `snip_edges=False` sample by sample, as `ExtractWindow` in feature-window.cc does.

    Kaldi knows only the mirror "symmetric".
    """
    n_samples, frames = len(clip), []
    count = (n_samples + hop_length // 2) // hop_length if n_samples else 0
    for frame in range(count):
        start = hop_length * frame + hop_length // 2 - frame_length // 2
        values = []
        for position in range(start, start + frame_length):
            outside = not 0 <= position < n_samples
            while not 0 <= position < n_samples and pad_mode != "constant":
                edge = 1 if pad_mode == "symmetric" else 0
                position = -position - edge if position < 0 else 2 * (n_samples - 1) + edge - position
                if n_samples == 1:
                    position = 0
            values.append(0.0 if outside and pad_mode == "constant" else clip[position])
        frames.append(values)
    return frames


@st.composite
def framings(draw):
    n_fft = draw(st.integers(1, 24))
    win_length = draw(st.integers(1, n_fft))
    frame_length = draw(st.integers(win_length, 30))
    edges = draw(st.sampled_from(["snip", "center", "same", "midpoint"]))
    return {
        "n_fft": n_fft,
        "win_length": win_length,
        "hop_length": draw(st.integers(1, frame_length if edges == "same" else 40)),
        "frame_length": frame_length,
        "window_position": draw(st.sampled_from(["start", "center"])),
        "edges": edges,
        "pad_mode": None if edges == "snip" else draw(st.sampled_from(["constant", "reflect", "symmetric"])),
    }


def frames_of(layer, clips):
    """Returns the frames that an `STFT` takes from the result of the layer: `[batch, channels, frames, win_length]`."""
    framing = layer.framing
    return ops.frame(tf.transpose(layer(clips), [0, 2, 1]), framing.win_length, framing.hop_length, pad_end=False)


@given(framings(), st.integers(0, 90))
@settings(max_examples=70)
def test_frames_equal_those_of_the_reference(framing, n_samples):
    layer, clips = EdgePadding(**framing, data_format=LAST), noise(2, n_samples, 2)
    arguments = {name: value for name, value in framing.items() if name != "n_fft"}
    expected = [[windows_of_frames(clip[:, c], **arguments) for c in range(2)] for clip in clips]
    np.testing.assert_array_equal(frames_of(layer, clips), expected)
    n_frames = len(expected[0][0])
    assert layer.framing.n_frames(n_samples) == n_frames
    assert layer(clips).shape == layer.compute_output_shape(clips.shape) == (2, layer.framing.n_samples(n_frames), 2)


SETTINGS = [
    {"n_fft": 9, "win_length": 7, "hop_length": 3, "edges": "center", "pad_mode": "constant"},
    {"n_fft": 8, "win_length": 5, "hop_length": 3, "edges": "center", "pad_mode": "reflect"},
    {"n_fft": 8, "win_length": 2, "hop_length": 5, "edges": "same"},
    {"n_fft": 8, "win_length": 7, "hop_length": 4, "edges": "midpoint"},
    {"n_fft": 8, "win_length": 4, "hop_length": 3, "frame_length": 6, "edges": "snip", "window_position": "center"},
]


@pytest.mark.cases(3)
@pytest.mark.parametrize("framing", SETTINGS, ids=lambda framing: framing["edges"])
def test_one_graph_extends_clips_of_every_length_as_eager_calls_do(framing):
    layer, first = EdgePadding(**framing, data_format=LAST), EdgePadding(**framing, data_format=FIRST)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    for n_samples in range(30):
        clips = noise(3, n_samples, 2)
        expected = layer(clips)
        np.testing.assert_array_equal(graph(clips), expected)
        np.testing.assert_array_equal(tf.transpose(first(clips.transpose(0, 2, 1)), [0, 2, 1]), expected)


@pytest.mark.cases(2)
@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "symmetric"])
@pytest.mark.parametrize("edges", ["center", "snip"])
@pytest.mark.parametrize(("n_fft", "win_length", "hop_length"), [(512, 400, 160), (300, 201, 100), (301, 200, 77)])
def test_magnitudes_equal_those_of_librosa(n_fft, win_length, hop_length, edges, pad_mode):
    clip = noise(1, 1200, 1)
    sizes = {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length}
    layer = EdgePadding(
        **sizes, edges=edges, pad_mode=None if edges == "snip" else pad_mode, window_position="center", data_format=LAST
    )
    stft = STFT(**sizes, periodic=True, input_data_format=LAST, output_data_format=LAST)
    found = np.abs(stft(layer(clip)).numpy()[0, :, :, 0])
    expected = np.abs(librosa.stft(clip[0, :, 0], **sizes, center=edges == "center", pad_mode=pad_mode)).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("n_fft", "win_length"), [(512, 400), (1024, 551), (600, 600)])
def test_the_defaults_of_midpoint_are_the_frames_of_kaldi(n_fft, win_length):
    clip, hop_length = noise(1, 1500, 1), win_length * 2 // 5
    layer = EdgePadding(n_fft, win_length, hop_length, edges="midpoint", data_format=LAST)
    expected = kaldi_frames(clip[0, :, 0], win_length, hop_length, "symmetric")
    np.testing.assert_array_equal(frames_of(layer, clip)[0, 0], expected)


def test_samples_under_the_zeros_around_a_window_are_left_out():
    layer = EdgePadding(8, 4, 4, edges="snip", window_position="center", data_format=FIRST)
    found = layer(np.arange(1, 15, dtype=np.float32).reshape(1, 1, 14))
    np.testing.assert_array_equal(found, [[[3, 4, 5, 6, 7, 8, 9, 10]]])


def test_the_gradient_of_a_sample_is_the_sum_over_its_mirror_images():
    clip = tf.constant([[[1.0], [2.0], [3.0]]])
    with tf.GradientTape() as tape:
        tape.watch(clip)
        padded = EdgePadding(4, 4, 2, pad_mode="symmetric", data_format=LAST)(clip)
    np.testing.assert_array_equal(padded[0, :, 0], [2, 1, 1, 2, 3, 3])
    np.testing.assert_array_equal(tape.gradient(padded, clip)[0, :, 0], [2, 2, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": "centre"}, "edges must be one of 'snip', 'center', 'same', 'midpoint'. Received: edges='centre'"),
        ({"pad_mode": "edge"}, "pad_mode must be one of 'constant', 'reflect', 'symmetric'. Received: pad_mode='edge'"),
        ({"edges": "snip", "pad_mode": "reflect"}, "pad_mode must be None for edges='snip'.*Choose edges='center'"),
        ({"window_position": "end"}, "window_position must be one of 'start', 'center'"),
        ({"win_length": 600}, "win_length must be at most n_fft.*win_length=600, n_fft=512"),
        ({"frame_length": 500}, "frame_length must be at least 512. Received: frame_length=500"),
        ({"hop_length": 0}, "hop_length must be at least 1. Received: hop_length=0"),
        ({"edges": "same", "hop_length": 600}, "hop_length must be at most frame_length=512 for edges='same'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        EdgePadding(**arguments)


def test_a_wrong_rank_is_refused():
    with pytest.raises(ArgumentError, match=r"rank 3, \(batch, time, channels\).*shape=\(16, 100\)"):
        EdgePadding(data_format=LAST)(np.zeros((16, 100), np.float32))
