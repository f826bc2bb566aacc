"""Elements that hold the feature of a clip: which entries they have, and what each entry is."""

import functools
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.tfdata import entries, graph_errors
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES


@dataclass(frozen=True)
class Elements:
    """A dataset of clips with the feature of a config.

    Args:
        dataset: Dataset of dicts.
        config: Config of the feature.
        feature: Name of the entry with the feature.

    Raises:
        ArgumentError: If the dataset does not fit the config.
    """

    dataset: tf.data.Dataset
    config: Config
    feature: str

    def __post_init__(self) -> None:
        for name in (self.feature, N_FRAMES):
            entries.check_has(self.spec, name)
        self._check_entries()
        self._check_feature()
        for name in (N_FRAMES, entries.own(self.spec, VALID_FRAMES)):
            entries.check_number(self.spec, name)

    @functools.cached_property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """Spec of each entry."""
        return entries.of_dataset(self.dataset)

    @functools.cached_property
    def shape(self) -> tuple[int | None, int | None, int | None]:
        """Static shape of the feature. None where the size depends on the clip."""
        declared = self.config.feature_shape(None, self.config.channels)
        found = self.spec[self.feature].shape
        sizes = [None] * 3 if found.rank is None else found.as_list()
        first, second, third = (one if two is None else two for one, two in zip(declared, sizes, strict=True))
        return first, second, third

    @property
    def n_frames(self) -> int | None:
        """Static number of frames of the feature."""
        return self.shape[self.config.frame_axis]

    @property
    def valid_frames(self) -> str | None:
        """Name of the entry with the number of valid frames, if there is one."""
        name = entries.own(self.spec, VALID_FRAMES)
        return name if name in self.spec else None

    @functools.cached_property
    def lists(self) -> list[str]:
        """Names of the entries of rank 1 whose size depends on the clip."""
        return [name for name, spec in self.spec.items() if spec.shape.rank == 1 and spec.shape[0] is None]

    @functools.cached_property
    def frame_entries(self) -> list[str]:
        """Names of the entries beside the feature whose first axis is that of the frames, such as `targets`."""
        others = [(name, spec.shape) for name, spec in self.spec.items() if name != self.feature]
        return [name for name, shape in others if shape.rank > 1 and shape[0] == self.n_frames]

    def prepared(self) -> tf.data.Dataset:
        """Returns the dataset with the static shape of the feature. Another shape is an error during iteration."""
        shape = self.shape
        if self.spec[self.feature].shape == tf.TensorShape(shape):
            return self.dataset

        @tf.autograph.experimental.do_not_convert
        def with_shape(element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {**element, self.feature: tf.ensure_shape(element[self.feature], shape)}

        return self.dataset.map(with_shape, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def size(self, element: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the number of frames of the feature of an element, int64. It includes frames of padding."""
        return tf.shape(element[self.feature], tf.int64)[self.config.frame_axis]

    def check_n_frames(self, batch: dict[str, tf.Tensor], sizes: tf.Tensor) -> None:
        """Raises an error during iteration unless features have their number of frames.

        A feature may have more frames, as a crop with padding has.

        Args:
            batch: An element, or a batch of them.
            sizes: Number of frames of the feature, int64, or of each feature of the batch.
        """
        n_frames = tf.cast(batch[N_FRAMES], tf.int64)
        is_wrong = tf.reshape((n_frames < 0) | (n_frames > sizes), [-1])

        def message() -> list[Any]:
            clip = tf.argmax(tf.cast(is_wrong, tf.int8))
            received, size = (tf.reshape(values + 0 * n_frames, [-1])[clip] for values in (n_frames, sizes))
            expected = f": the entry {N_FRAMES} must be the number of frames of the clip. Received: "
            advice = " frames. Code that cuts features must change this entry too, as tfdata.random_crop does."
            return [graph_errors.clip_name(batch, clip), expected, received, " for a feature of ", size, advice]

        graph_errors.require(~tf.reduce_any(is_wrong), message)

    def _check_entries(self) -> None:
        for name, spec in self.spec.items():
            if not isinstance(spec, tf.TensorSpec) or (name != self.feature and spec.shape.rank is None):
                raise ArgumentError(
                    f"The entries of dataset must be dense tensors of known rank. Received: {name!r} of {spec!r}. "
                    "Leave this entry out, or set its shape: tf.ensure_shape(value, []) for a number or text, [None] "
                    "for a list."
                )

    def _check_feature(self) -> None:
        spec, config = self.spec[self.feature], self.config
        expected = config.feature_shape(None, config.channels)
        rank = spec.shape.rank
        if rank == len(expected) + 1:
            raise ArgumentError(
                f"The elements of dataset must be clips. Received: the entry {self.feature!r} of shape {spec.shape}, "
                "which is that of a batch. Do this before the clips are batched."
            )
        fits = rank is None or spec.shape.is_compatible_with(expected)
        channels = None if rank is None or not fits else spec.shape[config.channel_axis]
        fits = fits and (channels or 0) % len(config.quantities) == 0
        if not fits or not spec.dtype.is_floating:
            raise ArgumentError(
                f"The entry {self.feature!r} must be a feature of the config: floats of shape "
                f"{tf.TensorShape(expected)}, {_axes(config)}. Received: {spec.dtype.name} of shape {spec.shape}. Pass "
                "the config that the features were computed with."
            )


def of(dataset: tf.data.Dataset, config: Any) -> Elements:
    """Returns the elements of a dataset.

    Args:
        dataset: Dataset of dicts.
        config: Anything that `audiopipe.load` takes as config. A `Transform` also says which entry is the feature.

    Raises:
        ArgumentError: If the dataset does not fit the config.
        AudiopipeError: If `config` names no config.
    """
    return Elements(dataset, *entries.config_and_feature(config))


def _axes(config: Config) -> str:
    channels_last = config.output_data_format == "channels_last"
    return "(frames, bins, channels)" if channels_last else "(channels, frames, bins)"
