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
ROUNDS = 4  # of the cipher, as in `index_shuffle`


class Order(abc.ABC):
    """Order of the clips of an epoch.

    Args:
        count: Number of clips in an epoch.
    """

    def __init__(self, count: int):
        self.count = count

    @abc.abstractmethod
    def chunks(self, numbers: tf.Tensor) -> tf.data.Dataset:
        """Returns the numbers of the clips and their positions in the epoch, both int64 `[chunk]`.

        Args:
            numbers: Random numbers of the epoch, int64 `[2]`.
        """

    def _starts(self) -> tf.data.Dataset:
        return tf.data.Dataset.range(0, self.count, CHUNK)

    def _positions(self, start: tf.Tensor) -> tf.Tensor:
        return tf.range(start, tf.minimum(start + CHUNK, self.count))


class InOrder(Order):
    """All clips in their order, see `Order`."""

    def chunks(self, numbers: tf.Tensor) -> tf.data.Dataset:
        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            positions = self._positions(start)
            return positions, positions

        return self._starts().map(chunk)


class Shuffled(Order):
    """Each clip once in a random order, see `Order`."""

    def chunks(self, numbers: tf.Tensor) -> tf.data.Dataset:
        last = tf.constant(self.count - 1, tf.int64)

        def chunk(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            positions = self._positions(start)
            return tf.random.experimental.index_shuffle(positions, numbers, last), positions

        return self._starts().map(chunk)


class Drawn(Order):
    """As many draws from sources as there are clips in all, see `Order`.

    Args:
        draws: The sources. The numbers of their clips follow each other.
    """

    def __init__(self, draws: WeightedDraws):
        super().__init__(draws.count)
        self._draws = draws

    def chunks(self, numbers: tf.Tensor) -> tf.data.Dataset:
        sources = len(self._draws.sizes)

        def chunk(taken: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
            positions = self._positions(start)
            taken, places, seeds = tf.numpy_function(
                self._draws.draw, [numbers, taken, positions], [tf.int64] * 3, stateful=False
            )
            firsts, sizes, places = tf.unstack(tf.ensure_shape(places, [3, None]))
            # The places in small sources are random already, and shuffling them would take long.
            lasts = tf.maximum(sizes, SMALL_SOURCE + 1) - 1
            # `tf.random.experimental.index_shuffle` does not take a seed per place.
            shuffled = tf.raw_ops.RandomIndexShuffle(
                index=places, seed=tf.ensure_shape(seeds, [None, 3]), max_index=lasts, rounds=ROUNDS
            )
            clips = firsts + tf.where(sizes > SMALL_SOURCE, shuffled, places)
            return tf.ensure_shape(taken, [sources]), (clips, positions)

        return self._starts().scan(tf.zeros([sources], tf.int64), chunk)


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

    def of_epoch(drawn: tf.Tensor) -> tf.data.Dataset:
        end = tf.data.Dataset.from_tensors(tf.fill([CHUNK, 3], tf.constant(END, tf.int64))).repeat()
        return _with_number(order.chunks(drawn[:2]), drawn[2]).concatenate(end)

    return random_numbers(seed).take(3).batch(3, drop_remainder=True).flat_map(of_epoch).unbatch()


def once(order: Order) -> tf.data.Dataset:
    """Returns the clips of an order that is not random, like `epochs`."""
    return _with_number(order.chunks(tf.zeros([2], tf.int64)), tf.zeros([], tf.int64)).unbatch()


def _with_number(chunks: tf.data.Dataset, number: tf.Tensor) -> tf.data.Dataset:
    return chunks.map(lambda clips, positions: tf.stack([clips, positions, tf.fill(tf.shape(clips), number)], axis=1))
