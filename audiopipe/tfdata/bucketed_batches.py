"""Batches of clips of similar length with a limited number of frames."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.feature_sets.epoch_seeds import saved_with_elements
from audiopipe.tfdata import elements, graph_errors
from audiopipe.tfdata.padding import Padding

_CLOSEST = 8  # batches of fewer clips than this have a bucket for each number of clips; then lengths differ by 1 / 9


def bucketed_batch(
    dataset: tf.data.Dataset,
    max_frames: int,
    config: Any,
    *,
    lengths: Sequence[int] | None = None,
    mask: bool = False,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Batches clips of similar length, as many as fit into `max_frames` frames with their padding.

    Each clip goes into a bucket of similar lengths. A full bucket becomes a batch, and the clips that remain at the end
    become smaller batches. Each epoch therefore has every clip once. The order of the batches depends only on the order
    of the clips.

    **Padding and memory.** The lengths in a bucket differ by about 10 %, or by more where few clips make a batch. If
    all lengths are equally frequent, about 6 % of the frames are padding. Waiting clips take the memory of at most one
    batch per bucket.

    **Number of batches.** It is unknown, but the same in all epochs with the same clips. If `audiopipe.load` draws
    clips by `weights` or `balance`, it differs, and `fit` drops the last batches of an epoch that has at least two more
    than the first one. Use `padded_batch` there, or pass an endless dataset, `load(...).repeat()`, and
    `steps_per_epoch` to `fit`. Clips of a rare length then come late, when their batch is full.

    **Checkpoints.** `tf.train.Checkpoint` saves the waiting clips with an iterator. The restored iterator continues
    with the remaining batches. If all clips of an epoch had been read when it was saved, later epochs have other orders
    than without the interruption. Let `ResumeEpochs` set the order of each epoch.

    Args:
        dataset: Dataset of dicts, as in `padded_batch`.
        max_frames: Largest number of frames of a batch: its clips times its frames per clip, padding included.
        config: Config of the features, as in `padded_batch`.
        lengths: Numbers of frames per clip, in ascending order. Each batch is padded to one of them, so that compilers
            such as XLA see few shapes. Choose lengths that divide `max_frames`. None pads a batch to its longest clip.
        mask: Whether to add an entry `mask`.
        drop_remainder: Whether to drop the clips that remain in the buckets at the end. With `lengths`, all batches of
            a length then have the same shape.

    Returns:
        A dataset of dicts, with the entries of `padded_batch`. With `lengths`, entries with an axis of frames, such as
        `targets`, are padded to these lengths too.

    Raises:
        ArgumentError: As in `padded_batch`, or if a length is greater than `max_frames`.
        tf.errors.InvalidArgumentError: During iteration, as in `padded_batch`, or if a clip is longer than `max_frames`
            or the last of `lengths`. The message names the clip.

    Example:
        >>> from audiopipe import FeatureSet, load
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> batches = bucketed_batch(load(sets), max_frames=80, config=sets, lengths=[30, 40])
        >>> [(batch["feature"].shape[:2].as_list(), batch["n_frames"].numpy().tolist()) for batch in batches]
        [([2, 30], [28, 28]), ([1, 40], [38])]
    """
    max_frames = checks.integer("max_frames", max_frames, minimum=1)
    drop_remainder = checks.boolean("drop_remainder", drop_remainder)
    clips = elements.of(dataset, config)
    padding = Padding(clips, mask)
    limits = _geometric(max_frames) if lengths is None else _checked(lengths, max_frames)
    limit_name = "max_frames" if lengths is None else "the last of lengths"
    boundaries = tf.constant(limits, tf.int64)
    sizes = tf.constant([max_frames // limit for limit in limits], tf.int64)

    @tf.autograph.experimental.do_not_convert
    def bucket(element: dict[str, tf.Tensor]) -> tf.Tensor:
        frames = clips.size(element)
        expected = f" frames. {limit_name} must be at least that. Received: {limits[-1]}."
        advice = " Raise it, cut the clips with tfdata.random_crop or tfdata.sliding_windows, or leave long clips out"
        graph_errors.require(
            frames <= limits[-1],
            lambda: [graph_errors.clip_name(element), " has ", frames, expected, advice, " with dataset.filter."],
        )
        return tf.searchsorted(boundaries, [frames], out_type=tf.int64)[0]

    @tf.autograph.experimental.do_not_convert
    def batch(key: tf.Tensor, waiting: tf.data.Dataset) -> tf.data.Dataset:
        frames = None if lengths is None else tf.gather(boundaries, key)
        return padding.batch(waiting, tf.gather(sizes, key), drop_remainder, frames)

    batches = padding.clips.group_by_window(bucket, batch, window_size_func=lambda key: tf.gather(sizes, key))
    return saved_with_elements(padding.finished(batches))


def _geometric(max_frames: int) -> list[int]:
    """Returns the largest length in each bucket, in ascending order.

    Example:
        >>> _geometric(100)
        [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 25, 33, 50, 100]
    """
    limits = [max_frames]
    while limits[-1] > 1:
        count = len(limits) + 1
        closer = max_frames // count if count <= _CLOSEST else limits[-1] * _CLOSEST // (_CLOSEST + 1)
        limits.append(max(1, min(closer, limits[-1] - 1)))
    return limits[::-1]


def _checked(lengths: Sequence[int], max_frames: int) -> list[int]:
    if isinstance(lengths, str) or not isinstance(lengths, Sequence) or not lengths:
        raise checks.fail("lengths", "None or a list of numbers of frames", lengths)
    limits = [checks.integer("lengths", length, minimum=1) for length in lengths]
    if sorted(set(limits)) != limits:
        raise checks.fail("lengths", "different numbers in ascending order", lengths)
    if limits[-1] > max_frames:
        raise checks.fail("lengths", f"at most max_frames={max_frames}, so that a batch has a clip", lengths)
    return limits
