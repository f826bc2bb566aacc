"""A job that computes a feature set or brings one up to date: it plans or resumes, watches the engine, and publishes.

Whenever the job is interrupted, the output folder contains a plan and finished shards. The same command resumes from
there. A feature set that was complete before stays complete until the new one replaces it.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from audiopipe.feature_sets import retention
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import ScanReport, scan
from audiopipe.precompute import completion, output_folder, pending, plan, planning
from audiopipe.precompute.engines import Engines
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import NOTHING
from audiopipe.precompute.listing import Listing, PartedListing, listed_in_parts
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import AGAIN, Reporter, Silent
from audiopipe.precompute.set_job import SetJob
from audiopipe.precompute.settings import Settings
from audiopipe.precompute.shard_work import OtherParts, ShardWork
from audiopipe.storage import files


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
        job = self.set_job
        with self.listed(pending.undisturbed(job.look).known_types) as listing:
            return job.estimate(listing)

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
        output, job = self.settings.output, self.set_job
        job.look()  # raises its errors
        with contextlib.ExitStack() as stack:
            stack.callback(engines.close)
            # An existing output is locked at once. A new folder is only created once the input is known to be good.
            is_used = files.exists(files.join(output, plan.FOLDER))
            lock = stack.enter_context(output_folder.locked(output)) if is_used else None
            folder = job.look()
            if folder.description is None:  # otherwise there may be nothing to compute
                engines.prepare()
            listing = stack.enter_context(self.listed(folder.known_types))
            if lock is None:
                planning.columns_of(listing, NOTHING, self.settings.segments)  # raises its errors
                lock = stack.enter_context(output_folder.locked(output))
                folder = job.look()
            work = job.prepare(folder, listing)
            if isinstance(work, Description):
                self.reporter.planned(
                    **facts(planning.nothing_to_do(self.settings, listing)),
                    done_before=listing.n_clips,
                    failed_before=work.counts["failures"],
                )
                return work
            finished = Finished(work)
            finished.check_shards()
            self.reporter.planned(**facts(work), done_before=finished.done.clips, failed_before=finished.done.failures)
            try:
                self.shard_work(engines).run(work, finished, lock)
                return completion.finish(work, keep_old_seconds=self.keep_old_seconds)
            except BaseException as error:
                self.reporter.stopped(str(error) or f"It was interrupted. {AGAIN}")
                raise

    @property
    def set_job(self) -> SetJob:
        """What the job does with its feature set."""
        return SetJob(
            settings=self.settings,
            overwrite=self.overwrite,
            retry_failures=self.retry_failures,
            update=self.update,
            keep_old_seconds=self.keep_old_seconds,
        )

    def shard_work(self, engines: Engines, others: OtherParts = OtherParts()) -> ShardWork:  # noqa: B008 (frozen)
        """Returns the work on the shards of a plan.

        Args:
            engines: What the engine is taken from.
            others: The other parts of the feature set.
        """
        return ShardWork(
            engines=engines,
            reporter=self.reporter,
            max_failure_ratio=self.max_failure_ratio,
            stall_timeout=self.stall_timeout,
            others=others,
        )

    @contextlib.contextmanager
    def listed(self, known_types: Mapping[str, str]) -> Iterator[Listing]:
        """Lists the input, see `audiopipe.precompute.listing.listed`."""
        with self.listed_in_parts(known_types, 1) as listing:
            yield listing.part(0)

    def listed_in_parts(
        self, known_types: Mapping[str, str], n_parts: int
    ) -> contextlib.AbstractContextManager[PartedListing]:
        """Returns a context manager for the listing of the input. Entering it raises all errors of the input."""
        report = ScanReport()
        sources = scan(self.source, self.settings.options, report=report)
        return listed_in_parts(sources, self.settings.options, report, known_types, n_parts)


def facts(work: Plan) -> dict[str, Any]:
    """Returns the facts about a plan that a reporter shows."""
    return {
        "clips": work.n_clips,
        "copied": work.n_copied,
        "hours": work.seconds / 3600,
        "bytes": work.n_bytes,
        "shards": work.n_shards,
        "exact": work.exact,
        "headers": work.headers,
        "notes": work.notes,
        "changes": None if work.changes is None else dataclasses.asdict(work.changes),
    }
