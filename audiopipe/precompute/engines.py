"""Engines that write the shards of a plan, and how a job on this machine chooses one."""

import math
import sys
from typing import Protocol

from audiopipe import checks
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.processes import Processes
from audiopipe.precompute.this_process import ThisProcess
from audiopipe.runtime import machine_facts

AUDIO_PER_PROCESS = 3600.0  # seconds; a processor computes that in one to three seconds
LARGE_SECONDS = 8 * 3600.0  # of audio; a smaller job is done before other processes have loaded TensorFlow as well


class Engine(Protocol):
    """Interface of all engines. An engine writes the unfinished shards of a plan."""

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""

    def wait(self, seconds: float) -> bool:
        """Waits until the job ends, at most `seconds`. Returns whether it has ended.

        Raises:
            FeatureSetError: If the job failed.
        """

    def stop(self) -> None:
        """Stops the job. Finished shards are kept, unfinished ones are lost."""


class Engines(Protocol):
    """Interface of what a job takes its engine from, or one engine after another if the output is in parts."""

    def prepare(self) -> None:
        """Starts what the engine will need, so that it gets ready while the job is planned."""

    def choose(self, plan: Plan, seconds: float) -> Engine:
        """Returns the engine for a plan.

        Args:
            plan: The plan.
            seconds: Seconds of audio left to compute.
        """

    def close(self) -> None:
        """Ends what `prepare` started, unless the engine has ended it."""


class LocalEngines:
    """Engines of this machine: this process, or worker processes.

    Workers load TensorFlow while this process lists and plans, and share its memory, so another worker costs little.
    This process computes itself if it has loaded TensorFlow already and there is less than `LARGE_SECONDS` of audio.

    Args:
        workers: Number of processes. With 1, this process computes. None chooses it by the amount of audio.
    """

    def __init__(self, workers: int | None):
        self._workers = None if workers is None else checks.integer("workers", workers, minimum=1)
        self._is_loaded = workers is None and "tensorflow" in sys.modules
        self._prepared: Processes | None = None
        self._pool: Processes | None = None

    def prepare(self) -> None:
        """Starts to load TensorFlow, if other processes will compute."""
        if self._workers != 1 and not self._is_loaded:
            self._prepared = Processes(self._workers or 1)
            self._prepared.launch()

    def choose(self, plan: Plan, seconds: float) -> Engine:
        """Returns the engine for a plan.

        Args:
            plan: The plan.
            seconds: Seconds of audio left to compute.
        """
        if self._workers == 1 or (self._is_loaded and seconds < LARGE_SECONDS):
            return ThisProcess()
        workers = self._workers or processes_for(seconds, machine_facts.processors())
        pool, self._prepared = self._prepared or Processes(workers), None
        pool.workers = min(workers, plan.n_shards)
        self._pool = pool
        return pool

    def close(self) -> None:
        """Ends the processes."""
        for pool in (self._prepared, self._pool):
            if pool is not None:
                pool.stop()


def processes_for(seconds: float, processors: int) -> int:
    """Returns the number of worker processes for a job if the user does not set it.

    Each gets at least `AUDIO_PER_PROCESS`: for less, it is not worth the half second of processor time in which it
    builds the graph of the feature. A single process uses all processors, but not as well as several do.

    Args:
        seconds: Seconds of audio to compute.
        processors: Number of processors.

    Example:
        >>> [processes_for(3600 * hours, 2) for hours in (0.1, 1.9, 2, 1000)]
        [1, 1, 2, 2]
        >>> [processes_for(3600 * hours, 64) for hours in (0.1, 1.9, 2, 1000)]
        [1, 1, 2, 64]
    """
    return max(1, min(processors, math.floor(seconds / AUDIO_PER_PROCESS)))
