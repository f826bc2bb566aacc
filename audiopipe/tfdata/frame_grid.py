"""Frames of a feature on the time line of its clip, as operations of a graph."""

import tensorflow as tf

from audiopipe.configs.base import Config

LATEST = 2**52  # in samples; float64 has all integers up to here


class FrameGrid:
    """Assignment of each sample to the frame with the nearest centre, or to the later one of two.

    Args:
        config: Config of the feature.

    Example:
        >>> from audiopipe import configs
        >>> grid = FrameGrid(configs.StftMagnitude(sample_rate=1000, n_fft=20, hop_length=10))
        >>> grid.frames(grid.samples(tf.constant([0.0, 0.014, 0.015], tf.float64), 0.0)).numpy()
        array([0, 0, 1])
    """

    def __init__(self, config: Config):
        self._config = config
        first, second = config.frame_centres(2) * config.sample_rate
        self._hop = round(second - first, 6)
        self._start = round(first - self._hop / 2, 6)  # of the samples that are nearest to frame 0
        self._longest = int(config.kept_samples(LATEST))

    def samples(self, seconds: tf.Tensor, origin: tf.Tensor | float) -> tf.Tensor:
        """Returns times as samples from the start of a clip.

        Args:
            seconds: float64 of any shape.
            origin: Time of the start of the clip, float64.

        Returns:
            int64 of the same shape, the nearest samples.
        """
        rate = tf.constant(self._config.sample_rate, tf.float64)
        samples = tf.round(seconds * rate) - tf.round(origin * rate)
        return tf.cast(tf.clip_by_value(samples, float(-LATEST), float(LATEST)), tf.int64)

    def frames(self, samples: tf.Tensor) -> tf.Tensor:
        """Returns the frame that each sample belongs to, for a clip that does not end: int64 of the same shape."""
        frames = tf.floor((tf.cast(samples, tf.float64) - self._start) / self._hop)
        return tf.maximum(tf.cast(frames, tf.int64), 0)

    def is_beyond(self, samples: tf.Tensor, n_frames: tf.Tensor) -> tf.Tensor:
        """Returns whether samples are beyond the end of every clip with a number of valid frames.

        Args:
            samples: int64 of any shape.
            n_frames: Number of valid frames.
        """
        with_it = self._config.valid_frames(tf.maximum(samples, 0) + 1)  # of a clip that the sample ends
        return (with_it > n_frames) | (samples >= self._longest)

    def is_cut_off(self, samples: tf.Tensor, n_frames: tf.Tensor) -> tf.Tensor:
        """Returns whether samples are in the part that the feature leaves out of a long clip.

        A clip that fills the fixed length of a feature may be longer, and how much is not known.

        Args:
            samples: int64 of any shape.
            n_frames: Number of valid frames.
        """
        return (samples >= self._longest) & (n_frames >= self._config.valid_frames(self._longest))

    def may_be_beyond(self, samples: tf.Tensor, n_frames: tf.Tensor) -> tf.Tensor:
        """Returns whether samples belong to no frame themselves, and are beyond the end of some clip of `is_beyond`."""
        without_it = self._config.valid_frames(tf.maximum(samples, 0))
        return (without_it >= n_frames) & (self.frames(samples) >= n_frames)
