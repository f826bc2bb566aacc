"""Work on the shards of a plan: an engine writes them, and the job watches it."""

import time
from dataclasses import dataclass, field

from audiopipe.errors import FeatureSetError, StalledError, TooManyFailuresError
from audiopipe.precompute import output_folder, row_files
from audiopipe.precompute.engines import Engine, Engines
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import AGAIN, Done, Reporter
from audiopipe.storage import locks

LOOK_SECONDS = 0.5
FIRST_CLIPS = 100  # the ratio of failures is checked from here on, because fewer clips say little about the rest


@dataclass(frozen=True, kw_only=True)
class OtherParts:
    """Parts of a feature set beside the one that is worked on. A feature set without parts has none.

    Args:
        clips: Number of clips to compute or to copy, done or not.
        kept: Number of clips that stay as they are.
        done: What is done.
    """

    clips: int = 0
    kept: int = 0
    done: Done = field(default_factory=lambda: Done(clips=0, failures=0, seconds=0.0, shards=0))


@dataclass(frozen=True, kw_only=True)
class ShardWork:
    """Work on the shards of a plan.

    Args:
        engines: What the engine is taken from.
        reporter: Shows the progress.
        max_failure_ratio: The work ends if a larger ratio of all clips fails, with those that are kept.
        stall_timeout: The work ends after this many seconds without a finished shard.
        others: The other parts of the feature set.
    """

    engines: Engines
    reporter: Reporter
    max_failure_ratio: float
    stall_timeout: float
    others: OtherParts = field(default_factory=OtherParts)

    def run(self, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Runs an engine that writes the missing shards, and watches it.

        Args:
            work: The plan.
            finished: Its finished shards.
            lock: What holds the output.

        Raises:
            FeatureSetError: If the work fails, too many clips fail, or no shard is finished for too long.
        """
        missing = set(finished.missing())
        if missing:
            self._run(work, finished, lock, missing)
        self._check_failures(work, finished)
        lock.check()

    def _run(self, work: Plan, finished: Finished, lock: locks.Held, missing: set[int]) -> None:
        engine = self.engines.choose(work, sum(shard.seconds for shard in work.shards() if shard.number in missing))
        engine.start(work)
        try:
            row_files.prepare()  # while TensorFlow is loaded
            self._watch(engine, work, finished, lock)
        except FeatureSetError as error:
            if type(error) is not FeatureSetError:
                raise
            finished.refresh()
            if finished.missing():
                raise FeatureSetError(f"The job stopped: {str(error).rstrip('.')}. {AGAIN}") from error
            # The engine failed after its work, such as a cluster that loses its workers while they end.
            self.reporter.update(self.others.done + finished.done, self.others.clips + work.n_clips)
        finally:
            engine.stop()
            output_folder.remove_temporaries(work.output)

    def _watch(self, engine: Engine, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Watches the engine until it has ended."""
        last, shards_before = time.monotonic(), finished.done.shards
        ended = False
        while not ended:
            ended = engine.wait(LOOK_SECONDS)
            finished.refresh()
            done = finished.done
            self.reporter.update(self.others.done + done, self.others.clips + work.n_clips)
            self._check_failures(work, finished)
            if done.shards > shards_before:
                last, shards_before = time.monotonic(), done.shards
            if time.monotonic() - last > self.stall_timeout and not ended:
                raise StalledError(
                    f"No shard was finished for {self.stall_timeout:g} s; {done.shards} of {work.n_shards} are done. "
                    "A worker may hang while it reads a file, or the runner may be waiting for a machine. Check the "
                    f"runner's log and the storage of the input, or increase --stall-timeout. {AGAIN}"
                )
            if lock.lost:
                lock.check()

    def _check_failures(self, work: Plan, finished: Finished) -> None:
        done = self.others.done + finished.done
        clips = self.others.kept + work.n_input - work.n_clips + done.clips  # with those that stay in their shards
        if clips < FIRST_CLIPS or done.failures <= self.max_failure_ratio * clips:
            return
        errors = "".join(f"\n{count:6} x {error}" for error, count in finished.frequent_errors())
        raise TooManyFailuresError(
            f"{done.failures:,} of {clips:,} clips failed, which is more than --max-failure-ratio "
            f"{self.max_failure_ratio:g} allows. The most frequent errors:{errors}\nFix the input and run the same "
            "command with --retry-failures, or increase --max-failure-ratio. Finished shards are kept."
        )
