"""Padding of clips to batches."""

from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import free_name
from audiopipe.tfdata import graph_errors
from audiopipe.tfdata.elements import Elements
from audiopipe.transform import paddings
from audiopipe.transform.entry_names import MASK, N_FRAMES

MISSING_ITEM = -1  # pads lists of numbers, as in `hf.to_tf_dataset`


class Padding:
    """Pads the clips of a batch.

    Args:
        elements: The clips.
        mask: Whether batches get a mask of valid frames.

    Raises:
        ArgumentError: If `mask` is not a boolean, or there is an entry `mask` already.

    Attributes:
        clips: The dataset of clips to batch with `batch` and then `finished`.
    """

    def __init__(self, elements: Elements, mask: bool):
        self._elements = elements
        self._config = elements.config
        self._mask = checks.boolean("mask", mask)
        if mask and MASK in elements.spec:
            raise ArgumentError(
                f"With mask=True, the elements must not have an entry {MASK!r} already. Received: the entries "
                f"{', '.join(sorted(elements.spec))}. Leave it out, or rename it."
            )
        self._constant = paddings.constant(self._config)
        self._sizes = free_name("sizes", elements.spec)  # name of an entry of the clips, but not of the batches
        self._any_channels = elements.shape[self._config.channel_axis] is None
        self.clips = elements.prepared()
        # This takes a fifth of the time of a batch, so it is done only where wrong sizes would spoil padding or masks.
        self._has_sizes = mask or self._any_channels or self._constant is None
        if self._has_sizes:
            self.clips = self.clips.map(self._with_sizes, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def batch(
        self, clips: tf.data.Dataset, size: int | tf.Tensor, drop_remainder: bool, frames: tf.Tensor | None = None
    ) -> tf.data.Dataset:
        """Returns batches of clips.

        Args:
            clips: Clips of `self.clips`.
            size: Number of clips per batch.
            drop_remainder: Whether to drop a last batch with fewer clips.
            frames: Number of frames of each batch, an int64 scalar. None means that of the longest clip.
        """
        specs = self.clips.element_spec
        shapes: dict[str, Any] = {name: spec.shape for name, spec in specs.items()}
        if frames is not None:
            for name, axis in self._frame_axes():
                sizes = [-1 if size is None else size for size in specs[name].shape]
                shapes[name] = tf.stack([frames if place == axis else size for place, size in enumerate(sizes)])
        values = dict.fromkeys(specs)
        for name in self._elements.lists:
            values[name] = _missing_item(specs[name].dtype)
        if self._constant is not None:
            dtype = specs[self._elements.feature].dtype
            values[self._elements.feature] = tf.cast(self._constant, dtype)
        return clips.padded_batch(size, shapes, values, drop_remainder)

    def finished(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Adds masks to batches, and the padding of configs where no single value fits all bins and channels."""
        made = batches.map(self._finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return made.prefetch(tf.data.AUTOTUNE)

    @tf.autograph.experimental.do_not_convert
    def _finish(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        batch = dict(batch)
        sizes: Any = batch.pop(self._sizes) if self._has_sizes else None
        if self._any_channels:
            self._check_channels(batch, sizes[:, self._config.channel_axis])
        name = self._elements.feature
        feature = tf.ensure_shape(batch[name], [None, *self._elements.shape])
        n_frames, frames = batch[N_FRAMES], tf.shape(feature, tf.int64)[1 + self._config.frame_axis]
        self._elements.check_n_frames(batch, frames if sizes is None else sizes[:, self._config.frame_axis])
        if self._constant is None:
            feature = self._filled(feature, tf.sequence_mask(n_frames, frames))
        batch[name] = feature
        if self._mask:
            valid = tf.cast(batch[self._elements.valid_frames or N_FRAMES], tf.int64)
            batch[MASK] = tf.sequence_mask(tf.minimum(valid, tf.cast(n_frames, tf.int64)), frames)
        return batch

    def _filled(self, feature: tf.Tensor, is_real: tf.Tensor) -> tf.Tensor:
        """Returns the features of a batch with padding where `is_real`, bool `[batch, frames]`, is False."""
        frame = paddings.frame(self._config, feature)
        if self._config.frame_axis:
            return tf.where(is_real[:, tf.newaxis, :, tf.newaxis], feature, frame)
        # Without the last axis, which is short, this is eight times as fast.
        shape = tf.shape(feature)
        size = shape[2] * shape[3]
        frame = tf.reshape(tf.broadcast_to(frame, [1, shape[2], shape[3]]), [size])
        flat = tf.where(is_real[..., tf.newaxis], tf.reshape(feature, [shape[0], shape[1], size]), frame)
        return tf.ensure_shape(tf.reshape(flat, shape), feature.shape)

    def _frame_axes(self) -> list[tuple[str, int]]:
        others = [(name, 0) for name in self._elements.frame_entries]
        return [(self._elements.feature, self._config.frame_axis), *others]

    @tf.autograph.experimental.do_not_convert
    def _with_sizes(self, element: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adds the shape of the feature of a clip, which a batch does not show."""
        return {**element, self._sizes: tf.shape(element[self._elements.feature], tf.int64)}

    def _check_channels(self, batch: dict[str, tf.Tensor], channels: tf.Tensor) -> None:
        def message() -> list[Any]:
            numbers = tf.strings.reduce_join(tf.strings.as_string(channels), separator=", ")
            ids = tf.strings.reduce_join(graph_errors.as_text(batch["id"]), separator=", ") if "id" in batch else ""
            advice = "Set channels in the config, filter the clips by their channels, or use batches of one clip."
            expected = "The features of a batch must have equal numbers of channels. Received: "
            return [expected, numbers, " of the clips ", ids, ". ", advice]

        graph_errors.require(tf.reduce_all(channels == channels[0]), message)


def _missing_item(dtype: tf.DType) -> tf.Tensor | None:
    is_signed = dtype.is_floating or (dtype.is_integer and not dtype.is_unsigned)
    return tf.cast(MISSING_ITEM, dtype) if is_signed else None
