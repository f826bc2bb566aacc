"""Batches of a fixed number of clips."""

from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.tfdata import elements
from audiopipe.tfdata.padding import Padding


def padded_batch(
    dataset: tf.data.Dataset, batch_size: int, config: Any, *, mask: bool = False, drop_remainder: bool = False
) -> tf.data.Dataset:
    """Batches clips and pads each batch to its longest clip with the padding of the config.

    `Dataset.padded_batch` would pad with zeros, and 0 dB is as loud as full scale.

    Args:
        dataset: Dataset of dicts, as `audiopipe.load` and `tfdata.from_audio(...).map(transform)` give them.
        batch_size: Number of clips per batch.
        config: Config of the features: anything that `audiopipe.load` takes as `config`. A `Transform` also says which
            entry is the feature. Otherwise it is `feature`.
        mask: Whether to add an entry `mask`.
        drop_remainder: Whether to drop the last batch if it has fewer than `batch_size` clips.

    Returns:
        A dataset of dicts with these entries. The number of batches is known if the number of clips is known.

        - `feature`: `[batch, frames, bins, channels]`, or `[batch, channels, frames, bins]` for `channels_first`.
          Frames beyond the end of a clip hold `config.padding`.
        - `n_frames`: int64 `[batch]`, the number of frames of each clip.
        - `mask`: bool `[batch, frames]`, True for frames that hold audio. These are the first `valid_frames` frames, or
          the first `n_frames` if there is no such entry.
        - Lists: `[batch, longest list]`. Numbers are padded with -1 (unsigned numbers with 0), text with empty text,
          and booleans with False.
        - Entries of rank 2 or more, such as `targets`: padded with zeros.

    Raises:
        ArgumentError: If the dataset does not fit the config, there is an entry `mask` already, or an argument is out
            of range.
        tf.errors.InvalidArgumentError: During iteration, if the clips of a batch have different numbers of channels, or
            `n_frames` is negative or greater than the number of frames of a clip. Without a mask, a wrong number may be
            found only if it is greater than the number of frames of the batch.

    Example:
        >>> from audiopipe import FeatureSet, load
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> [batch] = padded_batch(load(sets), 4, sets, mask=True)
        >>> batch["feature"].shape, batch["n_frames"].numpy()
        (TensorShape([3, 38, 20, 1]), array([38, 28, 28]))
        >>> np.count_nonzero(batch["mask"], axis=1)
        array([38, 28, 28])
        >>> batch["feature"][2, -1, 0].numpy(), sets.config.padding
        (array([-50.], dtype=float32), -50.0)
    """
    batch_size = checks.integer("batch_size", batch_size, minimum=1)
    drop_remainder = checks.boolean("drop_remainder", drop_remainder)
    padding = Padding(elements.of(dataset, config), mask)
    batches = padding.batch(padding.clips, batch_size, drop_remainder)
    return padding.finished(batches)
