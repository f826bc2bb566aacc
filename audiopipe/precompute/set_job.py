"""What a job does with one feature set: it compares the output folder with the input, and decides what is to do."""

import functools
from dataclasses import dataclass, replace

from audiopipe.errors import InputChangedError, InputError
from audiopipe.feature_sets import publication, retention
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import differences, holdings, output_folder, pending, plan, planning
from audiopipe.precompute.holdings import NOTHING, Holdings
from audiopipe.precompute.listing import Listing
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.planning import Draft
from audiopipe.precompute.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SetJob:
    """What a job does with one feature set, which may be a part of another one.

    Args:
        settings: Settings that the plan depends on.
        overwrite: As in `audiopipe.precompute.job.Job`.
        retry_failures: Likewise.
        update: Likewise.
        keep_old_seconds: Likewise.
        is_part: Whether the output is a part of a feature set. A part may have no clips.
        known_columns: Metadata columns of all parts so far. None if there are none yet, or for a set without parts.
    """

    settings: Settings
    overwrite: bool = False
    retry_failures: bool = False
    update: bool = False
    keep_old_seconds: float = retention.KEEP_OLD_SECONDS
    is_part: bool = False
    known_columns: Columns | None = None

    def look(self) -> OutputFolder:
        """Looks into the output folder.

        Raises:
            FeatureSetError: If the output cannot be used.
        """
        output = self.settings.output
        return OutputFolder.look(output, overwrite=self.overwrite, is_part=self.is_part) if output else OutputFolder()

    def prepare(self, folder: OutputFolder, listing: Listing) -> Plan | Description:
        """Returns the plan to work on, or the feature set if there is nothing to do.

        Args:
            folder: What the output folder contains. The job holds it.
            listing: The clips of the input.

        Raises:
            InputChangedError: If the output was started with another input or other settings.
            FeatureSetError: If the output cannot be used.
        """
        output_folder.remove_temporaries(self.settings.output)
        if folder.published is not None:  # the last run was interrupted after it had replaced `dataset.json`
            publication.settle(folder.published, keep_old_seconds=self.keep_old_seconds)
            plan.remove(self.settings.output)
        drafted = self.draft(folder, listing)
        if isinstance(drafted, Description):
            if drafted.format_version > 1:  # the plan of an older feature set alone says where its audio is
                plan.remove(self.settings.output)
            retention.sweep(drafted, keep_old_seconds=self.keep_old_seconds)
        return drafted.write() if isinstance(drafted, Draft) else drafted

    def estimate(self, listing: Listing) -> Plan:
        """Returns the plan that `prepare` would write. Nothing is written, and another job may be running."""
        drafted = pending.undisturbed(lambda: self.draft(self.look(), listing))
        if isinstance(drafted, Description):
            return planning.nothing_to_do(self.settings, listing)
        return drafted.plan if isinstance(drafted, Draft) else drafted

    def draft(self, folder: OutputFolder, listing: Listing) -> Draft | Plan | Description:
        """Decides what to do: a new plan, the pending plan, or nothing, because the feature set is up to date.

        The arguments and errors are those of `prepare`. Nothing is written.
        """
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
            return make(self._with_known_columns(NOTHING))
        if before is not None:
            self._check_settings(before)
            if self._continues(before, listing):
                return before
        held = NOTHING
        if description is not None:
            self._check_settings(description)
            held = self._with_known_columns(holdings.of_feature_set(description))
            found = self._compare(held, listing)
            if not (self.update or self.retry_failures or found.changes.restored):
                return description
        if before is not None:
            held = self._with_known_columns(holdings.with_pending(held, before))
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

    def _with_known_columns(self, held: Holdings) -> Holdings:
        """Returns holdings with the columns of all parts, so that a class has one number in all of them."""
        return held if self.known_columns is None else replace(held, columns=self.known_columns)
