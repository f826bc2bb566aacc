"""Channels in random order."""

import keras
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers.random_layer import RandomLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class ChannelSwap(RandomLayer):
    """Put the channels of each example in a random order, in training only.

    Every order is equally likely, the one that is there included. Examples of a batch get orders of their own, and
    every call draws anew, inside a `tf.function` and a `tf.data` map as well.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: An integer, with which a new layer draws the same again. None means a seed drawn at random.

    Input shape:
        `(batch, time, channels)` or `(batch, frames, bins, channels)`; for `channels_first` `(batch, channels, time)`
        or `(batch, channels, frames, bins)`. Any number of channels.

    Output shape:
        The same.

    Raises:
        ArgumentError: If an argument is out of range, or the input is not of rank 3 or 4.

    Example:
        >>> stereo = tf.random.normal([8, 16000, 2])
        >>> layer = ChannelSwap()
        >>> layer(stereo, training=True).shape
        TensorShape([8, 16000, 2])
        >>> np.array_equal(layer(stereo), stereo)
        True
    """

    def augment(self, inputs):
        axis = 1 if self.data_format == "channels_first" else inputs.shape.rank - 1
        shape = tf.shape(inputs)
        # The ranks of random numbers are a random order. Two of 2**31 are hardly ever equal.
        order = tf.argsort(self.draw([shape[0], shape[axis]]), axis=1)
        return tf.gather(inputs, order, axis=axis, batch_dims=1)

    def compute_output_shape(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be a batch of waveforms, of rank 3, or of "
                f"spectrograms, of rank 4. Received: shape={tuple(input_shape)}. A single clip needs a batch axis in "
                f"front: clip[None]."
            )
        return tuple(input_shape)

    def compute_output_dtype(self, input_dtype):
        # Keras casts real numbers only, and the layer only moves values.
        return self.compute_dtype if "float" in input_dtype else input_dtype
