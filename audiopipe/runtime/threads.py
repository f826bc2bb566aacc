"""Map over several values at once, in the threads of one process."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from audiopipe.runtime import machine_facts

Value = TypeVar("Value")
Result = TypeVar("Result")

MAX_THREADS = 8  # about a tenth of the work per row holds Python's lock, so more threads would not help


def map_in_order(function: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
    """Applies a function to each value and returns the results in order.

    libsndfile, soxr and TensorFlow release Python's lock, so there is one thread per processor, or the number set with
    `tf.config.threading.set_intra_op_parallelism_threads`. The threads end with the call, so a later fork loses none.

    Args:
        function: The function to apply.
        values: The values.

    Raises:
        Exception: The error that the function raised for the first value that failed. Later values are skipped unless
            a thread has already started on them.

    Example:
        >>> map_in_order(abs, [-3, 2, -1])
        [3, 2, 1]
    """
    values = list(values)
    available = tf.config.threading.get_intra_op_parallelism_threads() or machine_facts.processors()
    threads = min(available, MAX_THREADS, len(values))
    if threads < 2:
        return [function(value) for value in values]
    with ThreadPoolExecutor(threads, "audiopipe-rows") as pool:
        return list(pool.map(function, values))
