"""Orders in which clips are read, as datasets of their numbers.

An order depends on the random numbers of the epoch and the position alone, so iterators are saved in few bytes.
Numbers are drawn in chunks, because calling a function takes longer than what it does for one clip.
"""

import abc

import tensorflow as tf

from audiopipe.feature_sets.epoch_seeds import random_numbers
from audiopipe.feature_sets.weighted_draws import SMALL_SOURCE, WeightedDraws

CHUNK = 256
END = -1  # instead of the number of a clip
_ENDLESS = 1 << 62
ROUNDS = 4  # of the cipher, as in `index_shuffle`


class Order(abc.ABC):
    """Order of the clips of an epoch.

    Args:
        count: Number of clips in an epoch.
    """

    def __init__(self, count: int):
        self.count = count

    @abc.abstractmethod
    def chunks(self, starts: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the numbers of the clips, their positions, and the third random number, as `epochs` describes.

        Args:
            starts: First position of each chunk, int64, and random numbers of the epoch, int64 `[3]`.

        Returns:
            int64 `[CHUNK, 3]`. After the last clip follows `END`.
        """

    def _positions(self, start: tf.Tensor) -> tf.Tensor:
        # The last one instead of those after it, because `index_shuffle` takes no others, and at least one.
        return tf.minimum(tf.range(start, start + CHUNK), max(self.count - 1, 0))

    def _chunk(self, start: tf.Tensor, clips: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        positions = tf.range(start, start + CHUNK)
        rows = tf.stack([clips, positions, tf.fill([CHUNK], number)], axis=1)
        rows = tf.where(positions[:, None] < self.count, rows, tf.constant(END, tf.int64))
        return tf.ensure_shape(rows, [CHUNK, 3])


class InOrder(Order):
    """All clips in their order, see `Order`."""

    def chunks(self, starts: tf.data.Dataset) -> tf.data.Dataset:
        @tf.autograph.experimental.do_not_convert
        def chunk(start: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
            return self._chunk(start, self._positions(start), numbers[2])

        return starts.map(chunk)


class Shuffled(Order):
    """Each clip once in a random order, see `Order`."""

    def chunks(self, starts: tf.data.Dataset) -> tf.data.Dataset:
        last = tf.constant(max(self.count - 1, 0), tf.int64)

        @tf.autograph.experimental.do_not_convert
        def chunk(start: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
            clips = tf.random.experimental.index_shuffle(self._positions(start), numbers[:2], last)
            return self._chunk(start, clips, numbers[2])

        return starts.map(chunk)


class Drawn(Order):
    """As many draws from sources as there are clips in all, see `Order`.

    Args:
        draws: The sources. The numbers of their clips follow each other.
    """

    def __init__(self, draws: WeightedDraws):
        super().__init__(draws.count)
        self._draws = draws

    def chunks(self, starts: tf.data.Dataset) -> tf.data.Dataset:
        sources = len(self._draws.sizes)

        @tf.autograph.experimental.do_not_convert
        def chunk(taken: tf.Tensor, drawn: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            start, numbers = drawn
            arguments = [numbers[:2], taken, self._positions(start)]
            taken, places, seeds = tf.numpy_function(self._draws.draw, arguments, [tf.int64] * 3, stateful=False)
            firsts, sizes, places = tf.unstack(tf.ensure_shape(places, [3, None]))
            # The places in small sources are random already, and shuffling them would take long.
            lasts = tf.maximum(sizes, SMALL_SOURCE + 1) - 1
            # `tf.random.experimental.index_shuffle` does not take a seed per place.
            shuffled = tf.raw_ops.RandomIndexShuffle(
                index=places, seed=tf.ensure_shape(seeds, [None, 3]), max_index=lasts, rounds=ROUNDS
            )
            clips = firsts + tf.where(sizes > SMALL_SOURCE, shuffled, places)
            return tf.ensure_shape(taken, [sources]), self._chunk(start, clips, numbers[2])

        return starts.scan(tf.zeros([sources], tf.int64), chunk)


def epochs(order: Order, seed: int | None) -> tf.data.Dataset:
    """Returns the clips of an order, which differs in every iteration.

    Args:
        order: The order.
        seed: Seed of its random numbers, see `random_numbers`.

    Returns:
        For each clip its number, its position in the epoch, and a random number of the epoch for everything else that
        is random: int64 `[3]`. Without an end, `END` follows: an iterator at its end forgets how many epochs there
        were, and it would be at its end as soon as the last clip is read ahead.
    """
    return _clips(order, random_numbers(seed).take(3).batch(3, drop_remainder=True))


def once(order: Order) -> tf.data.Dataset:
    """Returns the clips of an order that is not random, like `epochs`."""
    return _clips(order, tf.data.Dataset.from_tensors(tf.zeros([3], tf.int64)))


def _clips(order: Order, numbers: tf.data.Dataset) -> tf.data.Dataset:
    @tf.autograph.experimental.do_not_convert
    def starts(numbers: tf.Tensor) -> tf.data.Dataset:
        each = tf.data.Dataset.from_tensors(numbers).repeat()
        return tf.data.Dataset.zip((tf.data.Dataset.range(0, _ENDLESS, CHUNK), each))

    # A function within this one would double the time to start an iterator, so the orders take the starts of chunks.
    return order.chunks(numbers.flat_map(starts)).unbatch()
