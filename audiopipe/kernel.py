"""A config compiled: the graphs that compute its feature."""

import functools

import tensorflow as tf

from audiopipe import ops
from audiopipe.config import MAX_CHANNELS, Config

TOO_MANY_CHANNELS = (
    f"A clip must be [time] or [time, channels] with at most {MAX_CHANNELS} channels. If this is a batch of mono "
    "clips, give it a channel axis: batch[..., None]. If the channels come first, transpose it."
)


class Kernel:
    """The graphs of one config. Each is traced once and serves clips of every length.

    Args:
        config: The feature.
    """

    def __init__(self, config: Config):
        self.config = config
        with tf.init_scope():  # not inside the graph of a tf.data map that happens to come first
            self.layer = config.layer()
        clip = tf.TensorSpec([None, None], tf.float32)
        batch = tf.TensorSpec([None, None, None], tf.float32)
        # Partial objects, because TensorFlow would take the traces of one method of many kernels for retracing.
        lengths = tf.TensorSpec([None], tf.int32)
        self.clip = tf.function(functools.partial(self._clip), input_signature=[clip])
        self.batch = tf.function(functools.partial(self._batch), input_signature=[batch, lengths])

    def _clip(self, clip: tf.Tensor) -> tf.Tensor:
        """The feature of one clip `[time, channels]`: `[frames, bins, channels]`."""
        required = self.config.channels
        found = tf.shape(clip)[1]
        tf.debugging.assert_less_equal(found, MAX_CHANNELS, TOO_MANY_CHANNELS)
        if required == 1:
            clip = ops.mix_down(clip)
        elif required is not None:
            fits = tf.debugging.assert_equal(found, required, f"The config requires {required} channels.")
            with tf.control_dependencies([fits]):  # else ensure_shape may be first to fail, and says less
                clip = tf.ensure_shape(clip, [None, required])
        if self.config.input_data_format == "channels_first":
            clip = tf.transpose(clip)
        return tf.ensure_shape(self.layer(clip[None])[0], self.config.feature_shape(None, required))

    def _batch(self, batch: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """The features of padded clips `[batch, time, channels]`, each computed from its own samples alone."""
        samples = tf.shape(batch)[1]
        tf.debugging.assert_equal(tf.shape(lengths)[0], tf.shape(batch)[0], "There must be one length for each clip.")
        tf.debugging.assert_non_negative(lengths, "lengths must be at least 0.")
        tf.debugging.assert_less_equal(lengths, samples, "lengths must be at most the samples of the batch.")
        frames = self.config.n_frames(samples)
        frame_axis = 0 if self.config.output_data_format == "channels_last" else 1

        def one(clip_and_length: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            clip, length = clip_and_length
            feature = self._clip(clip[:length])
            missing = frames - tf.shape(feature)[frame_axis]
            return tf.pad(feature, [[0, missing if axis == frame_axis else 0] for axis in range(3)])

        signature = tf.TensorSpec(self.config.feature_shape(None, self.config.channels), tf.float32)
        return tf.map_fn(one, (batch, lengths), fn_output_signature=signature)
