"""A job that computes a feature set or brings one up to date: it plans or resumes, watches the engine, and publishes.

Whenever the job is interrupted, the output folder contains a plan and finished shards. The same command resumes from
there. A feature set that was complete before stays complete until the new one replaces it.
"""

import contextlib
import dataclasses
import functools
import time
from dataclasses import dataclass, field
from typing import Any

from audiopipe.errors import FeatureSetError, InputChangedError, InputError, StalledError, TooManyFailuresError
from audiopipe.feature_sets import publication, retention
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import ScanReport, scan
from audiopipe.precompute import completion, differences, holdings, output_folder, pending, plan, planning, row_files
from audiopipe.precompute.engines import Engine, Engines
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import NOTHING, Holdings
from audiopipe.precompute.listing import Listing, listed
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.planning import Draft
from audiopipe.precompute.progress import AGAIN, Reporter, Silent
from audiopipe.precompute.settings import Settings
from audiopipe.storage import files, locks

LOOK_SECONDS = 0.5
FIRST_CLIPS = 100  # the ratio of failures is checked from here on, because fewer clips say little about the rest


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that computes one feature set.

    Args:
        source: Input, as in `audiopipe.inputs.scan`.
        settings: Settings that the plan depends on.
        overwrite: Whether to replace an existing feature set.
        retry_failures: Whether to try failed clips again.
        update: Whether to bring an existing feature set up to date with its input.
        keep_old_seconds: How long the files of a replaced feature set are kept.
        max_failure_ratio: The job ends if a larger ratio of all clips fails, with those that are kept.
        stall_timeout: The job ends after this many seconds without a finished shard.
        reporter: Shows the progress of the job.
    """

    source: Any
    settings: Settings
    overwrite: bool = False
    retry_failures: bool = False
    update: bool = False
    keep_old_seconds: float = retention.KEEP_OLD_SECONDS
    max_failure_ratio: float = 0.05
    stall_timeout: float = 1800.0
    reporter: Reporter = field(default_factory=Silent)

    def estimate(self) -> Plan:
        """Returns the plan of the job without writing anything.

        Raises:
            InputError: If the input is missing, empty or malformed.
            InputChangedError: If the output was started with another input or other settings.
            FeatureSetError: If the output cannot be used.
        """
        with self._listed(pending.undisturbed(self._look)) as listing:
            drafted = pending.undisturbed(lambda: self._draft(self._look(), listing))
            if isinstance(drafted, Description):
                return planning.nothing_to_do(self.settings, listing)
            return drafted.plan if isinstance(drafted, Draft) else drafted

    def run(self, engines: Engines) -> Description:
        """Computes the feature set, resumes it, or brings it up to date.

        Args:
            engines: What the job takes its engine from. It is closed at the end.

        Returns:
            The complete feature set.

        Raises:
            InputError: If the input is missing, empty or malformed.
            InputChangedError: If the output was started with another input or other settings.
            FeatureSetError: If the output cannot be used, or the job fails.
        """
        output = self.settings.output
        self._look()  # raises its errors
        with contextlib.ExitStack() as stack:
            stack.callback(engines.close)
            # An existing output is locked at once. A new folder is only created once the input is known to be good.
            is_used = files.exists(files.join(output, plan.FOLDER))
            lock = stack.enter_context(output_folder.locked(output)) if is_used else None
            folder = self._look()
            if folder.description is None:  # otherwise there may be nothing to compute
                engines.prepare()
            listing = stack.enter_context(self._listed(folder))
            if lock is None:
                planning.columns_of(listing, NOTHING, self.settings.segments)  # raises its errors
                lock = stack.enter_context(output_folder.locked(output))
                folder = self._look()
            work = self._prepare(folder, listing)
            if isinstance(work, Description):
                self.reporter.planned(
                    **facts(planning.nothing_to_do(self.settings, listing)), done_before=listing.n_clips
                )
                return work
            finished = Finished(work)
            finished.check_shards()
            self.reporter.planned(**facts(work), done_before=finished.done.clips)
            try:
                self._work(engines, work, finished, lock)
                self._check_failures(work, finished)
                lock.check()
                return completion.finish(work, keep_old_seconds=self.keep_old_seconds)
            except BaseException as error:
                self.reporter.stopped(str(error) or f"It was interrupted. {AGAIN}")
                raise

    def _look(self) -> OutputFolder:
        output = self.settings.output
        return OutputFolder.look(output, overwrite=self.overwrite) if output else OutputFolder()

    def _listed(self, folder: OutputFolder) -> contextlib.AbstractContextManager[Listing]:
        """Returns a context manager for the listing of the input. Entering it raises all errors of the input."""
        report = ScanReport()
        sources = scan(self.source, self.settings.options, report=report)
        return listed(sources, self.settings.options, report, folder.known_types)

    def _prepare(self, folder: OutputFolder, listing: Listing) -> Plan | Description:
        """Returns the plan to work on, or the feature set if there is nothing to do."""
        output_folder.remove_temporaries(self.settings.output)
        if folder.published is not None:  # the last run was interrupted after it had replaced `dataset.json`
            publication.settle(folder.published, keep_old_seconds=self.keep_old_seconds)
            plan.remove(self.settings.output)
        drafted = self._draft(folder, listing)
        if isinstance(drafted, Description):
            if drafted.format_version > 1:  # the plan of an older feature set alone says where its audio is
                plan.remove(self.settings.output)
            retention.sweep(drafted, keep_old_seconds=self.keep_old_seconds)
        return drafted.write() if isinstance(drafted, Draft) else drafted

    def _draft(self, folder: OutputFolder, listing: Listing) -> Draft | Plan | Description:
        """Decides what to do: a new plan, the pending plan, or nothing, because the feature set is up to date."""
        make = functools.partial(
            planning.draft,
            self.settings,
            listing,
            generation=folder.generation + 1,
            first_shard=folder.next_shard,
            revision=folder.revision,
        )
        before, description = folder.pending, None if self.overwrite else folder.description
        if before is None and description is None:
            return make()
        if before is not None:
            self._check_settings(before)
            if self._continues(before, listing):
                return before
        held = NOTHING
        if description is not None:
            self._check_settings(description)
            held = holdings.of_feature_set(description)
            found = self._compare(held, listing)
            if not (self.update or self.retry_failures or found.changes.restored):
                return description
        if before is not None:
            held = holdings.with_pending(held, before)
            found = self._compare(held, listing)
        drafted = make(held, found)
        return description if description and drafted.changes_nothing(description) else drafted

    def _continues(self, before: Plan, listing: Listing) -> bool:
        """Returns whether the job does what a pending plan says, and the shards that the plan keeps are there."""
        planned = (before.input_digest, before.options, before.accept_truncated)
        wanted = (listing.digest, self.settings.options, self.settings.accept_truncated)
        return planned == wanted and not self.retry_failures and not holdings.missing(before.output, before.kept())

    def _check_settings(self, before: Plan | Description) -> None:
        self.settings.check(before, retry=self.retry_failures, update=self.update)

    def _compare(self, held: Holdings, listing: Listing) -> differences.Differences:
        """Compares the input with what the folder holds.

        Raises:
            InputChangedError: If they differ more than the flags of the job allow.
            InputError: If the type of a metadata column has changed.
        """
        output = self.settings.output
        try:
            columns, _ = planning.columns_of(listing, held, self.settings.segments)
        except InputError as error:
            if self.update:
                raise
            raise InputChangedError(f"{output!r} was started with another input: {error}") from error
        found = differences.find(held, listing, columns)
        if self.retry_failures and found.first_not_failed and not self.update:
            raise InputChangedError(
                f"With --retry-failures, only clips that failed may have changed since {output!r} was started: "
                f"{found.first_not_failed}. Pass --update to bring the feature set up to date with its input, or "
                "restore the input."
            )
        if found.first and not (self.update or self.retry_failures):
            raise InputChangedError(
                f"{output!r} was started with another input: {found.first}. Pass --update to bring the feature "
                "set up to date, --retry-failures if you only repaired clips that failed, or --overwrite to start from "
                "scratch. Or choose another folder."
            )
        return found

    def _work(self, engines: Engines, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Runs an engine that writes the missing shards, and watches it."""
        missing = set(finished.missing())
        if not missing:
            return
        engine = engines.choose(work, sum(shard.seconds for shard in work.shards() if shard.number in missing))
        engine.start(work)
        try:
            row_files.prepare()  # while TensorFlow is loaded
            self._watch(engine, work, finished, lock)
        except FeatureSetError as error:
            if type(error) is FeatureSetError:
                raise FeatureSetError(f"The job stopped: {str(error).rstrip('.')}. {AGAIN}") from error
            raise
        finally:
            engine.stop()
            output_folder.remove_temporaries(self.settings.output)

    def _watch(self, engine: Engine, work: Plan, finished: Finished, lock: locks.Held) -> None:
        """Watches the engine until it has ended."""
        last, shards_before = time.monotonic(), finished.done.shards
        ended = False
        while not ended:
            ended = engine.wait(LOOK_SECONDS)
            finished.refresh()
            done = finished.done
            self.reporter.update(done, work.n_clips)
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
        done = finished.done
        clips = work.n_input - work.n_clips + done.clips  # with those that stay in their shards
        if clips < FIRST_CLIPS or done.failures <= self.max_failure_ratio * clips:
            return
        errors = "".join(f"\n{count:6} x {error}" for error, count in finished.frequent_errors())
        raise TooManyFailuresError(
            f"{done.failures} of {clips} clips failed, which is more than --max-failure-ratio "
            f"{self.max_failure_ratio:g} allows. The most frequent errors:{errors}\nFix the input and run the same "
            "command with --retry-failures, or increase --max-failure-ratio. Finished shards are kept."
        )


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
        "changes": None if work.changes is None else dataclasses.asdict(work.changes),
    }
