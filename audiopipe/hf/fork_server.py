"""Processes for `datasets` that TensorFlow can compute in.

`datasets` forks its workers, and a fork of a process in which TensorFlow has run waits for ever. A fork server is a
fresh process that has imported TensorFlow and not run it, so that its forks start quickly and can compute.
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
    """A process of the fork server, which does not run the main script anew."""

    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802
        with _STARTING, _preloading("audiopipe.hf"), _without_main():
            return multiprocess.context.ForkServerProcess._Popen(process)


class _Context(multiprocess.context.ForkServerContext):
    """What takes the place of the module `multiprocess` in `datasets`."""

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
    """While this lasts, `datasets` starts its workers from a fork server, and they can compute features.

    Without it `dataset.map(transform, batched=True, num_proc=2)` stops with a `ForkError` in a process where TensorFlow
    has run. `hf.map(..., num_proc=2)` needs no `spawned`. A script needs no `if __name__ == "__main__":` for either:
    the workers do not run it anew. What is mapped may be defined in it.

    Other threads that want the same wait for their turn. The server stays for the next time, so that only the first map
    waits until TensorFlow is imported.

    Example:
        >>> from audiopipe import Transform, hf
        >>> with hf.spawned():
        ...     rows.map(Transform("speech-mel-80"), batched=True, num_proc=2)  # doctest: +SKIP
    """
    context = _Context()
    # Releases of datasets before 5 have the pool itself in place of the module.
    replacements = {"mp": context, "Pool": context.Pool}
    home = datasets.arrow_dataset
    with _REPLACING:
        kept = {name: getattr(home, name) for name in replacements if hasattr(home, name)}
        for name in kept:
            setattr(home, name, replacements[name])
        recurse = dill.settings["recurse"]
        dill.settings["recurse"] = True  # a function of the main module travels with the globals that it uses
        try:
            yield
        finally:
            dill.settings["recurse"] = recurse
            for name, value in kept.items():
                setattr(home, name, value)


def _begin(share: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    """Give a new worker its share of the processors, before TensorFlow runs in it."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(share)
    tf.config.threading.set_inter_op_parallelism_threads(share)
    if initializer is not None:
        initializer(*initargs)


@contextlib.contextmanager
def _preloading(module: str) -> Iterator[None]:
    """Let a fork server that starts now import a module."""
    server = multiprocess.forkserver._forkserver
    kept = server._preload_modules
    server.set_forkserver_preload([module])
    try:
        yield
    finally:
        server.set_forkserver_preload(kept)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide from a process that starts now which script or module the main module is, else it would run that."""
    names = vars(sys.modules["__main__"])
    kept: dict[str, Any] = {name: names[name] for name in ("__file__", "__spec__") if name in names}
    names.update(dict.fromkeys(("__file__", "__spec__")))
    try:
        yield
    finally:
        for name in ("__file__", "__spec__"):
            del names[name]
        names.update(kept)
