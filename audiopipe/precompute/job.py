"""A job that makes a feature set: plan it or go on with it, watch the engine that works, finish.

Whatever happens in between, what is in the output folder is a plan and shards that count, and the same command goes on
from there.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.errors import (
    ConfigMismatchError,
    FeatureSetError,
    InputChangedError,
    StalledError,
    TooManyFailuresError,
)
from audiopipe.feature_sets.feature_set import DATASET_FILE, FAILURES_FILE, FeatureSet
from audiopipe.inputs import scan
from audiopipe.precompute import completion, plan
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.planning import Draft, changed_clip, draft
from audiopipe.precompute.progress import Reporter, Silent
from audiopipe.storage import files, locks
from audiopipe.transform.segments import Segments

LOOK_SECONDS = 0.5
FIRST_CLIPS = 100  # of a job say little about the others: the ratio of failures is looked at after them
AGAIN = "Run the same command again to go on: what is done is kept."


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is asked for.

    Args:
        source: The input, as in `audiopipe.inputs.scan`.
        output: Folder of the feature set.
        config: The feature.
        num_shards: Number of shards; None decides by the size of the output.
        segments: How recordings are cut into segments.
        dtype: What features are stored as.
        overwrite: Whether to remove a feature set that is there.
        retry_failures: Whether to try the clips again that failed.
        max_failure_ratio: Failures among the clips that end the job.
        stall_timeout: Seconds without a finished shard that end the job.
        reporter: What shows how it goes.
    """

    source: Any
    output: str
    config: Config
    num_shards: int | None = None
    segments: Segments | None = None
    dtype: str = "float32"
    overwrite: bool = False
    retry_failures: bool = False
    max_failure_ratio: float = 0.05
    stall_timeout: float = 1800.0
    reporter: Reporter = field(default_factory=Silent)

    def draft(self) -> contextlib.AbstractContextManager[Draft]:
        """The plan for the input as it is now. All that can be wrong with the input is found here."""
        return draft(
            self.output,
            self.config,
            scan(self.source),
            num_shards=self.num_shards,
            segments=self.segments,
            dtype=self.dtype,
        )

    def run(self, choose: Callable[[Plan, float], Any]) -> FeatureSet:
        """Make the feature set, or go on with it.

        Args:
            choose: Gives the engine for a plan and the seconds of audio that are left to do.

        Raises:
            InputError: If the input is missing, empty or malformed.
            InputChangedError: If the output was begun with another input or other settings.
            FeatureSetError: If the output cannot be used, or the job fails.
        """
        self._complete()
        with contextlib.ExitStack() as stack:
            # A new folder is only touched once the input is known to be good; one that is there is locked at once.
            lock = stack.enter_context(self._locked()) if files.exists(files.join(self.output, plan.FOLDER)) else None
            drafted = stack.enter_context(self.draft())
            lock = lock or stack.enter_context(self._locked())
            complete = self._complete()
            if complete is not None and not self.retry_failures:
                self._check_same(plan.read(self.output), drafted)
                self.reporter.planned(**facts(drafted.plan), done_before=drafted.plan.n_clips)
                return complete
            work = self._prepare(drafted)
            finished = Finished(work)
            finished.check_shards()
            self.reporter.planned(**facts(work), done_before=finished.done.clips)
            try:
                self._work(choose, work, finished, lock)
                self._check_failures(finished)
                lock.check()
                return completion.finish(work)
            except BaseException as error:
                self.reporter.stopped(str(error) or f"It was interrupted. {AGAIN}")
                raise

    def _complete(self) -> FeatureSet | None:
        """The complete feature set that is there, None if there is none; an error if the folder cannot be used."""
        if files.exists(self.output) and not files.is_folder(self.output):
            raise FeatureSetError(f"OUTPUT must be a folder. Received: the file {self.output!r}. Choose another path.")
        there = list(files.walk(self.output)) if files.exists(self.output) else []
        strange = sorted(name for name in there if not is_ours(name))
        begun = plan.exists(self.output)
        if strange or (there and DATASET_FILE not in there and not begun and not all(map(_is_of_plan, there))):
            raise FeatureSetError(
                f"OUTPUT must be a new or empty folder, or hold a feature set. {self.output!r} holds "
                f"{(strange or there)[0]!r} and {len(there) - 1} more files. Choose another folder."
            )
        if DATASET_FILE not in there:
            return None
        if self.overwrite:
            return None
        present = FeatureSet.open(self.output)
        present.expect(self.config)
        if not begun:
            raise FeatureSetError(
                f"{self.output!r} holds a complete feature set of this config, with {present.counts['clips']} clips, "
                "but not the plan that it was made by. Read it with audiopipe.load, choose another folder, or pass "
                "--overwrite to compute it again."
            )
        return present

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        try:
            files.make_folder(self.output)
        except OSError as error:
            raise FeatureSetError(f"Could not make the folder {self.output!r}: {error.strerror or error}.") from error
        with locks.held(self.output) as lock:
            yield lock

    def _prepare(self, drafted: Draft) -> Plan:
        """The plan to work on: the one that is there, or a new one."""
        if plan.exists(self.output) and not self.overwrite:
            present = plan.read(self.output)
            if self.retry_failures:
                present = self._retry(present, drafted)
            else:
                self._check_same(present, drafted)
            files.remove(files.join(self.output, DATASET_FILE))
            self._remove_temporaries()
            return present
        clear(self.output)
        return drafted.write()

    def _check_same(self, present: Plan, drafted: Draft) -> None:
        """Raise an error unless a plan is for the same input and settings."""
        self._check_settings(present, drafted.plan)
        difference = changed_clip(present, drafted)
        if difference:
            raise InputChangedError(
                f"{self.output!r} was begun with another input: {difference}. Choose another folder, pass --overwrite "
                "to start anew, or --retry-failures if only clips that failed were mended."
            )

    def _check_settings(self, present: Plan, now: Plan) -> None:
        if present.config.fingerprint != now.config.fingerprint:
            raise ConfigMismatchError(
                f"{self.output!r} was begun with another config. Asked for (left, fingerprint "
                f"{now.config.fingerprint}) and found (right, fingerprint {present.config.fingerprint}):\n"
                f"{now.config.diff(present.config)}\nChoose another folder, or pass --overwrite to start anew."
            )
        asked = {name: (getattr(present, name), getattr(now, name)) for name in ("segments", "dtype", "schema")}
        if self.num_shards is not None:
            asked["num_shards"] = (present.n_shards, now.n_shards)
        for name, (before, after) in asked.items():
            if before != after:
                raise InputChangedError(
                    f"{self.output!r} was begun with other settings: {name} was {before!r} and is {after!r} now. "
                    "Choose another folder, or pass --overwrite to start anew."
                )

    def _retry(self, present: Plan, drafted: Draft) -> Plan:
        """Take the shards with failures for unfinished; the plan then has their clips as they are now."""
        self._check_settings(present, drafted.plan)
        finished = Finished(present)
        finished.refresh()
        difference = changed_clip(present, drafted, but=finished.failed())
        if difference:
            raise InputChangedError(
                f"Only clips that failed may differ from when {self.output!r} was begun: {difference}. Mend the input, "
                "choose another folder, or pass --overwrite to start anew."
            )
        files.remove(files.join(self.output, DATASET_FILE))
        finished.begin_retry()
        return drafted.with_shards_of(present).write()

    def _work(self, choose: Callable[[Plan, float], Any], work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Let an engine write the shards that are missing, and watch it."""
        missing = set(finished.missing())
        if not missing:
            return
        engine = choose(work, sum(shard.seconds for shard in work.shards() if shard.number in missing))
        engine.start(work)
        try:
            self._watch(engine, work, finished, lock)
        except FeatureSetError as error:
            if type(error) is FeatureSetError:
                raise FeatureSetError(f"The job stopped: {error} {AGAIN}") from error
            raise
        finally:
            engine.stop()
            self._remove_temporaries()

    def _watch(self, engine: Any, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Look how the engine gets on, until it has ended."""
        last, shards_before = time.monotonic(), finished.done.shards
        ended = False
        while not ended:
            ended = engine.wait(LOOK_SECONDS)
            finished.refresh()
            done = finished.done
            self.reporter.update(done, work.n_clips)
            self._check_failures(finished)
            if done.shards > shards_before:
                last, shards_before = time.monotonic(), done.shards
            if time.monotonic() - last > self.stall_timeout and not ended:
                raise StalledError(
                    f"No shard was finished for {self.stall_timeout:g} s; {done.shards} of {work.n_shards} are done. "
                    "A worker may hang in a file that cannot be read, or wait for a machine. Look at the runner's log "
                    f"and at the storage of the input, or allow more with --stall-timeout. {AGAIN}"
                )
            if lock.lost:
                lock.check()

    def _check_failures(self, finished: Finished) -> None:
        done = finished.done
        if done.clips < FIRST_CLIPS or done.failures <= self.max_failure_ratio * done.clips:
            return
        errors = "".join(f"\n{count:6} x {error}" for error, count in finished.frequent_errors())
        raise TooManyFailuresError(
            f"{done.failures} of {done.clips} clips failed, which is more than --max-failure-ratio "
            f"{self.max_failure_ratio:g} allows. The most frequent errors:{errors}\nMend the input and run the same "
            f"command with --retry-failures, or allow more with --max-failure-ratio. What is done is kept."
        )

    def _remove_temporaries(self) -> None:
        for name in files.walk(self.output):
            if _final_name(name) != name:
                files.remove(files.join(self.output, name))


def facts(work: Plan) -> dict[str, Any]:
    """What a plan says of the work that lies ahead."""
    return {
        "clips": work.n_clips,
        "hours": work.seconds / 3600,
        "bytes": work.n_bytes,
        "shards": work.n_shards,
        "exact": work.exact,
        "headers": work.headers,
    }


def is_ours(name: str) -> bool:
    """Whether a file is one that a job writes, or the temporary file of one."""
    return _final_name(name) in (DATASET_FILE, FAILURES_FILE) or bool(plan.FILES.fullmatch(_final_name(name)))


def is_lock(name: str) -> bool:
    """Whether a file is what a run leaves that holds the folder, or has held it."""
    return name in (f"{plan.FOLDER}/lock", f"{plan.FOLDER}/lease.json")


def clear(output: str) -> None:
    """Remove all from the folder of a feature set but the lock of the run that does so."""
    # dataset.json goes first: from then on nothing takes what is left for a feature set.
    files.remove(files.join(output, DATASET_FILE))
    for name in files.walk(output):
        if not is_lock(name):
            files.remove(files.join(output, name))


def _final_name(name: str) -> str:
    """The name that a temporary file would be published under, see `files.temporary_file`."""
    return re.sub(r"(^|/)\.([^/]+)\.[^./]+\.tmp$", r"\1\2", name)


def _is_of_plan(name: str) -> bool:
    return name.startswith(f"{plan.FOLDER}/")
