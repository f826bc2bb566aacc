"""Worker processes for `datasets` in which TensorFlow can run.

`datasets` forks its workers. TensorFlow hangs in a fork of a process in which it has run. A fork server is a fresh
process that has imported TensorFlow but not run it, so its forks start quickly and can compute.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import datasets.arrow_dataset
import dill
import multiprocess
import multiprocess.context
import multiprocess.forkserver

from audiopipe.runtime import machine_facts

_STARTING = threading.Lock()
_REPLACING = threading.RLock()


class _Process(multiprocess.context.ForkServerProcess):
    """Process of the fork server that does not run the main script again."""

    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802
        with _STARTING, _preloading("audiopipe.hf.row_callable"), _without_main():
            return multiprocess.context.ForkServerProcess._Popen(process)


class _Context(multiprocess.context.ForkServerContext):
    """Replacement for the module `multiprocess` inside `datasets`."""

    Process = _Process

    def Pool(  # noqa: N802
        self,
        processes: int | None = None,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
        maxtasksperchild: int | None = None,
    ) -> Any:
        available = machine_facts.processors()
        share = max(1, available // (processes or available))
        return super().Pool(processes, _begin, (share, initializer, initargs), maxtasksperchild)


@contextlib.contextmanager
def spawned() -> Iterator[None]:
    """Makes `datasets` start its workers from a fork server inside a `with` block, so that they can compute features.

    Without it, a map of a function that calls a transform raises `ForkError` with `num_proc=2` in a process where
    TensorFlow has run. `hf.map(dataset, transform, num_proc=2)` and `dataset.map(transform, num_proc=2)` do not need
    it. The workers do not run the main script again, so a script needs no `if __name__ == "__main__":`, and the mapped
    function may be defined in it.

    Only one thread can be in such a block at a time; others wait. The server keeps running, so only the first map waits
    for the import of TensorFlow.

    Example:
        >>> from audiopipe import hf
        >>> with hf.spawned():
        ...     rows.map(lambda batch: louder(mel(batch)), batched=True, num_proc=2)  # doctest: +SKIP
    """
    home, context = datasets.arrow_dataset, _Context()
    with _REPLACING:
        multiprocess_module, home.mp = home.mp, context
        recurse = dill.settings["recurse"]
        dill.settings["recurse"] = True  # pickle a function of the main module with the globals that it uses
        try:
            yield
        finally:
            dill.settings["recurse"] = recurse
            home.mp = multiprocess_module


def _begin(share: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    """Limits a new worker to its share of the processors, before TensorFlow runs in it."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(share)
    tf.config.threading.set_inter_op_parallelism_threads(share)
    if initializer is not None:
        initializer(*initargs)


@contextlib.contextmanager
def _preloading(module: str) -> Iterator[None]:
    """Makes a fork server that starts in this context import a module."""
    server = multiprocess.forkserver._forkserver
    kept = server._preload_modules
    server.set_forkserver_preload([module])
    try:
        yield
    finally:
        server.set_forkserver_preload(kept)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hides the main script or module from a process that starts in this context, which would otherwise run it."""
    names = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: names[name] for name in ("__file__", "__spec__") if name in names}
    names.update(dict.fromkeys(("__file__", "__spec__")))
    try:
        yield
    finally:
        for name in ("__file__", "__spec__"):
            del names[name]
        names.update(kept)
