"""Guard against computing in a process that was forked after TensorFlow had run.

TensorFlow's threads do not exist in a fork, so its next operation there would wait for them forever. A fork that does
not compute is harmless. A forked process is therefore only marked, and code that computes calls `check` first.
"""

import os
import sys

from audiopipe.errors import ForkError

_parent_that_computed: int | None = None


def tensorflow_has_run() -> bool:
    """Returns whether TensorFlow has computed anything in this process, and so has threads that a fork would lack.

    Example:
        >>> tensorflow_has_run() in (True, False)
        True
    """
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    return getattr(context, "_context_handle", None) is not None


def check() -> None:
    """Raises an error if TensorFlow would hang in this process.

    Raises:
        ForkError: If this process, or one of its ancestors, was forked after TensorFlow had run.
    """
    if _parent_that_computed is not None:
        raise ForkError(
            f"A process that is forked after TensorFlow has run cannot compute features: it would wait forever. "
            f"Received: process {os.getpid()}, forked from {_parent_that_computed}. Use audiopipe.hf.map(dataset, "
            "transform, num_proc=...) or `with audiopipe.hf.spawned(): dataset.map(...)`; give a torch DataLoader "
            "multiprocessing_context='forkserver'; or start the processes before TensorFlow runs."
        )


def _mark() -> None:
    global _parent_that_computed
    if _parent_that_computed is None and tensorflow_has_run():
        _parent_that_computed = os.getppid()


os.register_at_fork(after_in_child=_mark)
