"""Pipelines whose clips have another order, and other crops, in each epoch."""

import tensorflow as tf
from clip_cases import MONO

from audiopipe import tfdata
from audiopipe.feature_sets.epoch_seeds import random_numbers

CLIPS = 12


def clips():
    """Returns clips whose order and crops are new in each epoch, by a seed. A clip is ten times its number."""

    def order(seeds):
        numbers = tf.data.Dataset.range(CLIPS)
        return numbers.map(lambda number: tf.random.experimental.index_shuffle(number, seeds, CLIPS - 1))

    numbers = random_numbers(3).take(2).batch(2, drop_remainder=True).flat_map(order)
    feature = tf.reshape(tf.repeat(tf.range(9.0), 5), [9, 5, 1])
    return numbers.map(lambda n: {"feature": feature + 10 * tf.cast(n, tf.float32), "n_frames": 9 - n % 4})


def counted():
    crops = tfdata.random_crop(clips(), 3, MONO, seed=3)
    return tfdata.padded_batch(crops.apply(tf.data.experimental.assert_cardinality(CLIPS)), 5, MONO)


def bucketed():
    return tfdata.bucketed_batch(tfdata.random_crop(clips(), 7, MONO, seed=3), 35, MONO)


def shuffled():
    return tfdata.padded_batch(tfdata.random_crop(clips(), 3, MONO, seed=3).shuffle(20, seed=1), 5, MONO)


def windows():
    crops = tfdata.random_crop(clips(), 7, MONO, seed=3)
    return tfdata.padded_batch(tfdata.sliding_windows(crops, 4, MONO), 5, MONO)
