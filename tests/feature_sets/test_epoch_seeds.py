"""Random numbers of epochs: they follow their seed alone and survive restores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.epoch_seeds import random_numbers


def values(dataset, count=5):
    return [int(number) for number in dataset.take(count)]


def test_a_seed_gives_the_same_numbers_whatever_the_seed_of_tensorflow():
    tf.random.set_seed(1)
    numbers = random_numbers(7).take(5)
    first, second, third = (values(numbers) for _ in range(3))
    assert len({*first, *second, *third}) == 15
    assert (numbers.element_spec, numbers.cardinality()) == (tf.TensorSpec([], tf.int64), 5)
    tf.random.set_seed(2)
    tf.random.uniform([])
    again = random_numbers(np.int64(7)).take(5)
    assert [values(again) for _ in range(3)] == [first, second, third]
    assert values(random_numbers(7).take(5).repeat(3), 15) == [*first, *second, *third]


def test_every_integer_is_a_seed_of_its_own():
    starts = {tuple(values(random_numbers(seed))) for seed in (0, 1, 2, -1, 2**62, 2**63, 2**63 - 1)}
    assert len(starts) == 7
    assert values(random_numbers(0)) == values(random_numbers(2**64))


def test_without_a_seed_the_seed_of_keras_decides():
    def two():
        keras.utils.set_random_seed(5)
        return values(random_numbers(None)), values(random_numbers(None))

    first, second = two()
    assert first != second
    assert two() == (first, second)
    keras.utils.set_random_seed(6)
    assert values(random_numbers(None)) != first


@pytest.mark.parametrize("taken", [0, 3, 5, 8, 14])
def test_a_restored_iterator_goes_on_with_the_numbers_that_were_left(tmp_path, taken):
    expected = values(random_numbers(7).take(5).repeat(3), 15)
    iterator = iter(random_numbers(7).take(5).repeat(3))
    assert [int(next(iterator)) for _ in range(taken)] == expected[:taken]
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "saved")
    restored = iter(random_numbers(7).take(5).repeat(3))
    tf.train.Checkpoint(iterator=restored).restore(path).assert_consumed()
    assert [int(number) for number in restored] == [int(number) for number in iterator] == expected[taken:]


def test_an_iterator_that_is_restored_in_a_later_epoch_is_followed_by_the_next_one(tmp_path):
    numbers = random_numbers(7).take(5)
    epochs = [values(numbers) for _ in range(3)]
    saved = random_numbers(7).take(5)
    values(saved)
    iterator = iter(saved)
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "saved")
    resumed = random_numbers(7).take(5)
    restored = iter(resumed)
    tf.train.Checkpoint(iterator=restored).restore(path).assert_consumed()
    assert [int(number) for number in restored] == epochs[1][1:]
    assert values(resumed) == epochs[2]


@pytest.mark.parametrize("seed", [1.5, "1", True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ArgumentError, match="seed must be an integer"):
        random_numbers(seed)
