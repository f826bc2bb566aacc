"""A job that computes a feature set: it plans or resumes, watches the engine, and completes the feature set.

Whenever the job is interrupted, the output folder contains a plan and finished shards. The same command resumes from
there.
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
from audiopipe.feature_sets import file_names
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.inputs import InputOptions, ScanReport, scan
from audiopipe.precompute import completion, plan
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.planning import Draft, changed_clip, draft
from audiopipe.precompute.progress import Reporter, Silent
from audiopipe.storage import files, locks
from audiopipe.transform.segments import Segments

LOOK_SECONDS = 0.5
FIRST_CLIPS = 100  # the ratio of failures is checked from here on, because fewer clips say little about the rest
AGAIN = "Run the same command again to resume. Finished shards are kept."


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that computes one feature set.

    Args:
        source: Input, as in `audiopipe.inputs.scan`.
        output: Folder of the feature set.
        config: Config of the feature.
        num_shards: Number of shards. None chooses it by the size of the output.
        segments: How recordings are cut into segments. None keeps them whole.
        dtype: Dtype in which features are stored.
        options: Options that decide what is read from the input.
        accept_truncated: Whether truncated recordings are read as far as they go.
        overwrite: Whether to replace an existing feature set.
        retry_failures: Whether to try failed clips again.
        max_failure_ratio: The job ends if a larger ratio of the clips fails.
        stall_timeout: The job ends after this many seconds without a finished shard.
        reporter: Shows the progress of the job.
    """

    source: Any
    output: str
    config: Config
    num_shards: int | None = None
    segments: Segments | None = None
    dtype: str = "float32"
    options: InputOptions = field(default_factory=InputOptions)
    accept_truncated: bool = False
    overwrite: bool = False
    retry_failures: bool = False
    max_failure_ratio: float = 0.05
    stall_timeout: float = 1800.0
    reporter: Reporter = field(default_factory=Silent)

    def draft(self) -> contextlib.AbstractContextManager[Draft]:
        """Returns a context manager for the draft of a plan. Entering it raises all errors of the input."""
        report = ScanReport()
        return draft(
            self.output,
            self.config,
            scan(self.source, self.options, report=report),
            num_shards=self.num_shards,
            segments=self.segments,
            dtype=self.dtype,
            options=self.options,
            accept_truncated=self.accept_truncated,
            report=report,
        )

    def run(self, choose: Callable[[Plan, float], Any]) -> Description:
        """Computes the feature set, or resumes it.

        Args:
            choose: Function that returns the engine for a plan and the seconds of audio left to compute.

        Returns:
            The complete feature set.

        Raises:
            InputError: If the input is missing, empty or malformed.
            InputChangedError: If the output was started with another input or other settings.
            FeatureSetError: If the output cannot be used, or the job fails.
        """
        self._complete()
        with contextlib.ExitStack() as stack:
            # An existing output is locked at once. A new folder is only created once the input is known to be good.
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

    def _complete(self) -> Description | None:
        """Returns the complete feature set in the output, or None if there is none to keep.

        Raises:
            FeatureSetError: If the folder cannot be used.
        """
        if files.exists(self.output) and not files.is_folder(self.output):
            raise FeatureSetError(f"OUTPUT must be a folder. Received: the file {self.output!r}. Choose another path.")
        present = list(files.walk(self.output)) if files.exists(self.output) else []
        foreign = sorted(name for name in present if not is_ours(name))
        planned = plan.exists(self.output)
        if foreign or (present and DATASET_FILE not in present and not planned and not all(map(_is_of_plan, present))):
            raise FeatureSetError(
                f"OUTPUT must be a new or empty folder, or contain a feature set. Received: {self.output!r}, which "
                f"contains {(foreign or present)[0]!r}. Choose another folder."
            )
        if DATASET_FILE not in present:
            return None
        if self.overwrite:
            return None
        complete = Description.open(self.output)
        complete.expect(self.config)
        if not planned:
            raise FeatureSetError(
                f"{self.output!r} contains a complete feature set of this config, with {complete.counts['clips']} "
                "clips, but no plan to compare the input with. Read it with audiopipe.load, choose another folder, or "
                "pass --overwrite to compute it again."
            )
        return complete

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        try:
            files.make_folder(self.output)
        except OSError as error:
            raise FeatureSetError(f"Could not create the folder {self.output!r}: {error.strerror or error}.") from error
        with locks.held(self.output) as lock:
            yield lock

    def _prepare(self, drafted: Draft) -> Plan:
        """Returns the plan to work on: the existing one, or a new one."""
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
        """Raises an error unless the existing plan has the same input and settings."""
        self._check_settings(present, drafted.plan)
        difference = changed_clip(present, drafted)
        if difference:
            raise InputChangedError(
                f"{self.output!r} was started with another input: {difference}. Choose another folder, pass "
                "--overwrite to start from scratch, or --retry-failures if you only repaired clips that failed."
            )

    def _check_settings(self, present: Plan, now: Plan) -> None:
        if present.config.fingerprint != now.config.fingerprint:
            raise ConfigMismatchError(
                f"{self.output!r} was started with another config. Received (left, fingerprint "
                f"{now.config.fingerprint}) and found (right, fingerprint {present.config.fingerprint}):\n"
                f"{now.config.diff(present.config)}\nChoose another folder, or pass --overwrite to start from scratch."
            )
        names = ["segments", "dtype", "schema", "classes", "fill_values"]
        # A retry reads only clips that failed, so it may accept more of them than before.
        if not (self.retry_failures and now.accept_truncated):
            names.append("accept_truncated")
        settings = {
            option: (getattr(present.options, option), getattr(now.options, option))
            for option in InputOptions.__slots__
        }
        settings |= {name: (getattr(present, name), getattr(now, name)) for name in names}
        if self.num_shards is not None:
            settings["num_shards"] = (present.n_shards, now.n_shards)
        for name, (before, after) in settings.items():
            if before != after:
                retry = " To read truncated clips that failed, pass --retry-failures as well." if after is True else ""
                raise InputChangedError(
                    f"{self.output!r} was started with other settings: {name} was {before!r} and is {after!r} now. "
                    f"Choose another folder, or pass --overwrite to start from scratch.{retry}"
                )

    def _retry(self, present: Plan, drafted: Draft) -> Plan:
        """Marks shards with failures as unfinished. Returns a plan with the clips as they are now."""
        self._check_settings(present, drafted.plan)
        finished = Finished(present)
        finished.refresh()
        difference = changed_clip(present, drafted, but=finished.failed())
        if difference:
            raise InputChangedError(
                f"With --retry-failures, only clips that failed may have changed since {self.output!r} was started: "
                f"{difference}. Restore the input, choose another folder, or pass --overwrite to start from scratch."
            )
        files.remove(files.join(self.output, DATASET_FILE))
        finished.begin_retry()
        return drafted.with_shards_of(present).write()

    def _work(self, choose: Callable[[Plan, float], Any], work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Runs an engine that writes the missing shards, and watches it."""
        missing = set(finished.missing())
        if not missing:
            return
        engine = choose(work, sum(shard.seconds for shard in work.shards() if shard.number in missing))
        engine.start(work)
        try:
            self._watch(engine, work, finished, lock)
        except FeatureSetError as error:
            if type(error) is FeatureSetError:
                raise FeatureSetError(f"The job stopped: {str(error).rstrip('.')}. {AGAIN}") from error
            raise
        finally:
            engine.stop()
            self._remove_temporaries()

    def _watch(self, engine: Any, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Watches the engine until it has ended."""
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
                    "A worker may hang while it reads a file, or the runner may be waiting for a machine. Check the "
                    f"runner's log and the storage of the input, or increase --stall-timeout. {AGAIN}"
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
            f"{self.max_failure_ratio:g} allows. The most frequent errors:{errors}\nFix the input and run the same "
            "command with --retry-failures, or increase --max-failure-ratio. Finished shards are kept."
        )

    def _remove_temporaries(self) -> None:
        for name in files.walk(self.output):
            if _final_name(name) != name:
                files.remove(files.join(self.output, name))


def facts(work: Plan) -> dict[str, Any]:
    """Returns the facts about a plan that a reporter shows."""
    return {
        "clips": work.n_clips,
        "hours": work.seconds / 3600,
        "bytes": work.n_bytes,
        "shards": work.n_shards,
        "exact": work.exact,
        "headers": work.headers,
        "notes": work.notes,
    }


def is_ours(name: str) -> bool:
    """Returns whether a file is one that a job writes, or a temporary file of one."""
    final = _final_name(name)
    return file_names.is_of_set(final) or bool(plan.FILES.fullmatch(final))


def is_lock(name: str) -> bool:
    """Returns whether a file is the lock of a run: a local lock, or a lease on remote storage."""
    return name in (f"{locks.FOLDER}/{locks.LOCK_FILE}", f"{locks.FOLDER}/{locks.LEASE_FILE}")


def clear(output: str) -> None:
    """Removes everything from the folder of a feature set except the lock of a run."""
    # dataset.json goes first, so that nothing mistakes the remaining files for a feature set.
    files.remove(files.join(output, DATASET_FILE))
    for name in files.walk(output):
        if not is_lock(name):
            files.remove(files.join(output, name))


def _final_name(name: str) -> str:
    """Returns the name under which a temporary file would be published, see `files.temporary_file`."""
    return re.sub(r"(^|/)\.([^/]+)\.[^./]+\.tmp$", r"\1\2", name)


def _is_of_plan(name: str) -> bool:
    return name.startswith(f"{plan.FOLDER}/")
