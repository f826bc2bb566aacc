"""The number of threads that Python code of this process should use."""

import os

import tensorflow as tf

from audiopipe.runtime import machine_facts

ENVIRONMENT = "TF_NUM_INTRAOP_THREADS"
MAX_THREADS = 8  # about a tenth of the work per clip holds Python's lock, so more threads would not help


def available() -> int:
    """Returns how many threads can work at the same time.

    libsndfile, soxr and TensorFlow release Python's lock, so it is one per processor, but at most `MAX_THREADS`; or the
    number set with `tf.config.threading.set_intra_op_parallelism_threads` or `TF_NUM_INTRAOP_THREADS`.
    """
    chosen = tf.config.threading.get_intra_op_parallelism_threads() or _of_environment()
    return min(chosen or machine_facts.processors(), MAX_THREADS)


def _of_environment() -> int:
    """Returns the number that the environment sets, which TensorFlow does not return. 0 if it sets none."""
    text = os.environ.get(ENVIRONMENT, "")
    return int(text) if text.isdecimal() else 0
