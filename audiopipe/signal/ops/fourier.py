"""Framing, the Fourier transform of frames, and overlap-add."""

import math

import tensorflow as tf

from audiopipe.signal.ops.sums import pairwise_sum, without_inaudible


def frame(
    waveform: tf.Tensor, frame_length: int, hop_length: int, pad_end: bool, pad_value: float = 0.0, axis: int = -1
) -> tf.Tensor:
    """Splits an axis into overlapping frames.

    Args:
        waveform: Tensor of shape `[..., time, ...]`.
        frame_length: Samples per frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether to pad the end, so that a frame starts at every multiple of `hop_length`.
        pad_value: Value of the padding.
        axis: The time axis.

    Returns:
        Tensor of shape `[..., frames, frame_length, ...]`.
    """
    outer = waveform.shape[:-1]
    if axis != -1 or any(size != 1 for size in outer) or pad_end:
        return tf.signal.frame(waveform, frame_length, hop_length, pad_end=pad_end, pad_value=pad_value, axis=axis)
    return tf.reshape(_frames_of_clip(tf.reshape(waveform, [-1]), frame_length, hop_length), [*outer, -1, frame_length])


def _frames_of_clip(samples: tf.Tensor, frame_length: int, hop_length: int) -> tf.Tensor:
    """Splits `[time]` into `[frames, frame_length]`, like `tf.signal.frame` with fewer operations and threads.

    Both copy pieces of samples that no frame cuts. `tf.gather_nd` does it in one thread for twice as many samples,
    about 100,000 in all frames, where handing half of them to another thread takes longer than copying them.
    """
    piece = math.gcd(frame_length, hop_length)
    size = tf.shape(samples)[0] if samples.shape[0] is None else samples.shape[0]
    frames = (tf.maximum if samples.shape[0] is None else max)(0, 1 + (size - frame_length) // hop_length)
    pieces = tf.reshape(samples[: size // piece * piece], [-1, piece])
    starts = tf.reshape(tf.range(frames) * (hop_length // piece), [-1, 1, 1])
    places = starts + tf.range(frame_length // piece)[:, None]
    return tf.reshape(tf.gather_nd(pieces, places), [frames, frame_length])


def rfft(frames: tf.Tensor, n_fft: int) -> tf.Tensor:
    """Computes the Fourier transform of real frames.

    TensorFlow's transform flushes subnormal numbers to zero in every thread, unless it has only one sample, which it
    copies.

    Args:
        frames: Tensor of shape `[..., n_fft]`.
        n_fft: Length of the transform.

    Returns:
        Complex tensor of shape `[..., n_fft // 2 + 1]`.
    """
    return tf.signal.rfft(without_inaudible(frames) if n_fft == 1 else frames, [n_fft])


def overlap_add(frames: tf.Tensor, hop_length: int) -> tf.Tensor:
    """Adds overlapping frames: the transpose of `frame`.

    The rounding of `tf.signal.overlap_and_add` depends on the batch if the hop is only a few samples. Its result is
    wrong if the hop is longer than the frame.

    Args:
        frames: Tensor of shape `[..., frames, frame_length]`. The frame length must be static.
        hop_length: Samples between the starts of neighbouring frames.

    Returns:
        Tensor of shape `[..., time]` with `(frames - 1) * hop_length + frame_length` samples, or none without frames.
    """
    frame_length = frames.shape[-1]
    segments = -(-frame_length // hop_length)
    outer, count = tf.shape(frames)[:-2], tf.shape(frames)[-2]
    untouched = [[0, 0]] * (frames.shape.rank - 2)

    def reshape(tensor: tf.Tensor, inner: list) -> tf.Tensor:
        return tf.reshape(tensor, tf.concat([outer, inner], axis=0))

    # Each frame is split into segments of one hop. The first row holds the first segments of all frames, the second row
    # the second ones, and so on. Zeros end each row. Splitting the common buffer of the rows into rows that are one
    # segment shorter shifts each row by one segment against the previous one. This aligns the segments to be added.
    padded = tf.pad(frames, [*untouched, [0, segments], [0, segments * hop_length - frame_length]])
    rows = tf.experimental.numpy.swapaxes(reshape(padded, [count + segments, segments, hop_length]), -3, -2)
    samples = (count + segments - 1) * hop_length
    shifted = reshape(reshape(rows, [-1])[..., : segments * samples], [segments, samples])
    n_samples = tf.minimum(count, 1) * ((count - 1) * hop_length + frame_length)
    return pairwise_sum(shifted, axis=-2)[..., :n_samples]
