"""Random numbers of the epochs of a dataset, for everything in a pipeline that is random."""

import logging

import tensorflow as tf

from audiopipe import checks

_SECOND_SEED = 1  # two seeds of zero would mean no seed


def random_numbers(seed: int | None) -> tf.data.Dataset:
    """Returns random numbers that are different in every iteration.

    With a seed, the first iteration has certain numbers, the second one has certain others, and so on. The seed of
    TensorFlow, `tf.random.set_seed`, has no influence on them. Iterators can be saved and restored exactly, also in
    later iterations. Random operations of a pipeline should depend on these numbers and the position alone.

    Args:
        seed: Any integer. None draws a seed with `tf.random.uniform`, so that `keras.utils.set_random_seed` decides.

    Returns:
        An endless dataset of int64 scalars.

    Raises:
        ArgumentError: If `seed` is not an integer.

    Example:
        >>> numbers = random_numbers(seed=3).take(2)
        >>> first, second = list(numbers), list(numbers)
        >>> first != second
        True
        >>> again = random_numbers(seed=3).take(2)
        >>> list(again) == first, list(again) == second
        (True, True)
    """
    # `tf.data.Dataset.random` would mix its seed with that of TensorFlow.
    variant = tf.raw_ops.RandomDatasetV2(
        seed=_drawn() if seed is None else _as_int64(checks.integer("seed", seed)),
        seed2=tf.constant(_SECOND_SEED, tf.int64),
        seed_generator=tf.raw_ops.DummySeedGenerator(),
        rerandomize_each_iteration=True,
        output_types=[tf.int64],
        output_shapes=[tf.TensorShape([])],
    )
    return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.int64))


def restorable(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset whose iterators are saved as if nothing had been read ahead, which takes 2 to 4 kB.

    By default, `tf.data` saves all elements that were read ahead, and it does not save the position in random numbers
    of an epoch that was read ahead to its end, so that later epochs of a restored iterator have other orders. With this
    option, that is so only if the iterator itself is at the end of an epoch, after a batch that was not full. Some
    operations, such as `group_by_window`, cannot be saved in this form. A dataset that contains
    `saved_with_elements` is returned as it is.
    """
    if dataset.options().experimental_symbolic_checkpoint is False:
        return dataset
    options = tf.data.Options()
    options.experimental_symbolic_checkpoint = True
    return dataset.with_options(options)


def saved_with_elements(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset whose iterators are saved with the elements read ahead, the default of TensorFlow."""
    options = tf.data.Options()
    options.experimental_symbolic_checkpoint = False
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)  # TensorFlow warns of every option that changes
    try:
        return dataset.with_options(options)
    finally:
        logger.setLevel(level)


def _drawn() -> tf.Tensor:
    return tf.random.uniform([], tf.int64.min, tf.int64.max, tf.int64)


def _as_int64(seed: int) -> tf.Tensor:
    return tf.constant((seed + 2**63) % 2**64 - 2**63, tf.int64)
