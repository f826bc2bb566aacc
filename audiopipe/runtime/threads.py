"""Several rows at once, in the threads of one process."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from audiopipe.runtime import machine_facts

Value = TypeVar("Value")
Result = TypeVar("Result")

MOST_THREADS = 8  # Python's own part of a row, about a tenth, is done one at a time


def map_in_order(function: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
    """What a function makes of each value, in their order.

    libsndfile, soxr and TensorFlow do their work without Python's lock, so there is a thread for each processor, or as
    many as TensorFlow is held to with `tf.config.threading.set_intra_op_parallelism_threads`. The threads end with the
    call: none is left to be lost in a fork.

    Args:
        function: What to compute.
        values: What to compute it of.

    Raises:
        Exception: What the function raised, for the first value for which it did so. Values behind that one are left,
            unless a thread has begun with them.

    Example:
        >>> map_in_order(abs, [-3, 2, -1])
        [3, 2, 1]
    """
    values = list(values)
    available = tf.config.threading.get_intra_op_parallelism_threads() or machine_facts.processors()
    threads = min(available, MOST_THREADS, len(values))
    if threads < 2:
        return [function(value) for value in values]
    with ThreadPoolExecutor(threads, "audiopipe-rows") as pool:
        return list(pool.map(function, values))
