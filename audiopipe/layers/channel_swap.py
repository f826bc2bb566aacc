"""Layer that permutes channels at random."""

import keras
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers.random_layer import RandomLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class ChannelSwap(RandomLayer):
    """Random permutation of the channels of each example, in training only.

    All permutations are equally likely, including the identity. Each example of a batch gets its own permutation. Every
    call draws new permutations, also inside a `tf.function` and a `tf.data` map.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: Integer seed. New layers with the same seed draw the same permutations. None means a random seed.

    Input shape:
        `(batch, time, channels)` or `(batch, frames, bins, channels)`. For `channels_first`, `(batch, channels, time)`
        or `(batch, channels, frames, bins)`. Any number of channels.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3 or 4.

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
        # Sorting random integers gives a random permutation. Ties, which would bias it, are rare in a range of 2**31.
        order = tf.argsort(self.draw([shape[0], shape[axis]]), axis=1)
        return tf.gather(inputs, order, axis=axis, batch_dims=1)

    def compute_output_shape(self, input_shape):
        if len(input_shape) not in (3, 4):
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be a batch of waveforms (rank 3) or of "
                f"spectrograms (rank 4). Received: shape={tuple(input_shape)}. A single clip needs a batch axis in "
                f"front: clip[None]."
            )
        return tuple(input_shape)

    def compute_output_dtype(self, input_dtype):
        # Keras casts floating-point inputs. The layer itself only moves values, so other dtypes are kept.
        return self.compute_dtype if "float" in input_dtype else input_dtype
