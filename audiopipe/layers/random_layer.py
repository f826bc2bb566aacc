"""Base class of layers that change a batch at random."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer

LARGEST_INT32 = 2**31 - 1


class RandomLayer(SpectrogramLayer):
    """Base class of layers that call `augment` in training and otherwise return the input unchanged.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: Integer seed. New layers with the same seed draw the same numbers. None means a random seed.
    """

    def __init__(self, data_format: str = "default", seed: int | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = None if seed is None else checks.integer("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def call(self, inputs, training=None):
        """Changes a batch at random, in training only."""
        shape = self.check_input(inputs)
        return tf.ensure_shape(self.augment(inputs), shape) if training else inputs

    def augment(self, inputs: tf.Tensor) -> tf.Tensor:
        """Changes each example of a batch at random."""
        raise NotImplementedError

    def draw(self, shape: list[Any]) -> tf.Tensor:
        """Returns random integers in 0 .. 2**31 - 2 of the given shape, new ones at every call.

        The state of the generator is a variable, so every call of a graph draws new integers too.
        """
        return keras.random.randint(shape, 0, LARGEST_INT32, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
