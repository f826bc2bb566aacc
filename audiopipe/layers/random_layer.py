"""What the layers that change a batch at random have in common."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer

LARGEST_INT32 = 2**31 - 1


class RandomLayer(SpectrogramLayer):
    """Base class: calls `augment` in training and returns the input as it is otherwise.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: An integer, with which a new layer draws the same again. None means a seed drawn at random.
    """

    def __init__(self, data_format: str = "default", seed: int | None = None, **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = None if seed is None else checks.integer("seed", seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def call(self, inputs, training=None):
        """Change a batch at random, in training only."""
        shape = self.check_input(inputs)
        return tf.ensure_shape(self.augment(inputs), shape) if training else inputs

    def augment(self, inputs: tf.Tensor) -> tf.Tensor:
        """Change each example of a batch at random."""
        raise NotImplementedError

    def draw(self, shape: list[Any]) -> tf.Tensor:
        """New integers in 0 .. 2**31 - 2 at every call, of the given shape.

        The state that decides them is a variable, so a graph draws anew as well.
        """
        return keras.random.randint(shape, 0, LARGEST_INT32, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
