"""Frames, their Fourier transform, and frames added up again."""

import tensorflow as tf

from audiopipe.signal.ops.sums import pairwise_sum, without_inaudible


def frame(
    waveform: tf.Tensor, frame_length: int, hop_length: int, pad_end: bool, pad_value: float = 0.0, axis: int = -1
) -> tf.Tensor:
    """Cut an axis into overlapping frames.

    Args:
        waveform: `[..., time, ...]`.
        frame_length: Samples of a frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether `pad_value` follows, so that every sample is the start of a frame or within one.
        pad_value: What follows.
        axis: Where time is.

    Returns:
        `[..., frames, frame_length, ...]`.
    """
    options = {"pad_end": pad_end, "pad_value": pad_value}
    outer = waveform.shape[:-1]
    if axis != -1 or any(size != 1 for size in outer):
        return tf.signal.frame(waveform, frame_length, hop_length, axis=axis, **options)
    # The start of a tensor is no copy along its first axis, and is one along any other.
    frames = tf.signal.frame(tf.reshape(waveform, [-1]), frame_length, hop_length, **options)
    return tf.reshape(frames, [*outer, -1, frame_length])


def rfft(frames: tf.Tensor, n_fft: int) -> tf.Tensor:
    """Fourier transform of real frames.

    TensorFlow's takes subnormal numbers for zero in any thread, but for one sample, of which it makes a copy.

    Args:
        frames: `[..., n_fft]`.
        n_fft: Length of the transform.

    Returns:
        Complex `[..., n_fft // 2 + 1]`.
    """
    return tf.signal.rfft(without_inaudible(frames) if n_fft == 1 else frames, [n_fft])


def overlap_add(frames: tf.Tensor, hop_length: int) -> tf.Tensor:
    """Add overlapping frames: the inverse of `frame`.

    `tf.signal.overlap_and_add` rounds differently for other batches where the hop is a few samples, and where it is
    longer than the frame it is wrong.

    Args:
        frames: `[..., frames, frame_length]`, of a known frame length.
        hop_length: Samples between the starts of neighbouring frames.

    Returns:
        `[..., time]` with `(frames - 1) * hop_length + frame_length` samples, or none where there are no frames.
    """
    frame_length = frames.shape[-1]
    segments = -(-frame_length // hop_length)
    outer, count = tf.shape(frames)[:-2], tf.shape(frames)[-2]
    untouched = [[0, 0]] * (frames.shape.rank - 2)

    def reshape(tensor: tf.Tensor, inner: list) -> tf.Tensor:
        return tf.reshape(tensor, tf.concat([outer, inner], axis=0))

    # Segments are as long as a hop. Rows hold the first segments of all frames, the second ones, and so on, each row
    # with zeros behind it. Cutting the rows' common buffer into rows that are one segment shorter shifts each row by
    # one segment against the row before, which puts below one another what has to be added.
    padded = tf.pad(frames, [*untouched, [0, segments], [0, segments * hop_length - frame_length]])
    rows = tf.experimental.numpy.swapaxes(reshape(padded, [count + segments, segments, hop_length]), -3, -2)
    samples = (count + segments - 1) * hop_length
    shifted = reshape(reshape(rows, [-1])[..., : segments * samples], [segments, samples])
    n_samples = tf.minimum(count, 1) * ((count - 1) * hop_length + frame_length)
    return pairwise_sum(shifted, axis=-2)[..., :n_samples]
