"""Choice of a channel."""

import tensorflow as tf


def pick_channel(waveform: tf.Tensor, channel: int) -> tf.Tensor:
    """Returns one channel of a waveform, unchanged. A waveform of a single channel counts as already picked.

    Args:
        waveform: Tensor of shape `[time, channels]`. The number of channels may be unknown.
        channel: Number of the channel, from 0.

    Returns:
        Tensor of shape `[time, 1]`.

    Raises:
        tf.errors.InvalidArgumentError: If there is no such channel. In a graph, it is raised when the graph runs.
    """
    if waveform.shape[-1] == 1:
        return waveform
    found = tf.shape(waveform)[-1]
    index = tf.where(found == 1, 0, channel)
    exists = tf.debugging.assert_less(
        index, found, f"The config picks channel {channel}, and channels count from 0. The waveform has fewer."
    )
    with tf.control_dependencies([exists]):  # the slice of a missing channel would be empty
        return tf.slice(waveform, [0, index], [-1, 1])
