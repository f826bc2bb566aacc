"""A job that computes a feature set in parts: it lists the input once, plans all parts, and computes one after another.

Each part is a complete feature set with a plan of its own. The `dataset.json` of the whole is written when all parts
are complete, and names their generations. So readers see the old whole until the new one replaces it.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets import generations, parted_sets, retention
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.parted_sets import PartedSet
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import completion, output_folder, pending, plan, planning
from audiopipe.precompute.engines import Engines
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import NOTHING
from audiopipe.precompute.job import Job, facts
from audiopipe.precompute.listing import PartedListing
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.parted_output import PartedOutput
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import AGAIN, Done
from audiopipe.precompute.set_job import SetJob
from audiopipe.precompute.shard_work import OtherParts
from audiopipe.storage import files, locks


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """A part of the job, planned.

    Args:
        output: Its folder.
        work: The plan, or one that says that there is nothing to do. Its lists of clips are not in memory.
        done: What is done of it.
        is_done: Whether there is nothing to do.
    """

    output: str
    work: Plan
    done: Done
    is_done: bool


@dataclass(frozen=True, kw_only=True)
class PartedJob:
    """A job that computes a feature set in parts.

    Args:
        job: What the job would be without parts.
        n_parts: Number of parts. None takes that of the output.
    """

    job: Job
    n_parts: int | None = None

    def estimate(self) -> Plan:
        """Returns what the plans of all parts add up to, without writing anything.

        The errors are those of `Job.estimate`.
        """
        output = self._look()
        known = _Known.of(output, self.job.overwrite)
        works: list[Plan] = []
        with self.job.listed_in_parts(known.types, output.n_parts) as listing:
            for number, folder in enumerate(output.folders if output.output else [""] * output.n_parts):
                set_job = self._set_job(folder, known.columns, self.job.keep_old_seconds)
                works.append(set_job.estimate(listing.part(number)))
        return planning.total(self.job.settings, works, is_new=output.whole is None)

    def run(self, engines: Engines) -> PartedSet:
        """Computes the feature set, resumes it, or brings it up to date.

        Args:
            engines: What the job takes its engines from, one for each part. It is closed at the end.

        Returns:
            The complete feature set.

        Raises:
            InputError: If the input is missing, empty or malformed.
            InputChangedError: If the output was started with another input or other settings.
            FeatureSetError: If the output cannot be used, or the job fails.
        """
        path = self.job.settings.output
        self._look()  # raises its errors
        with contextlib.ExitStack() as stack:
            stack.callback(engines.close)
            # As in a job without parts, a new folder is only created once the input is known to be good.
            is_used = files.exists(files.join(path, plan.FOLDER))
            lock = stack.enter_context(output_folder.locked(path)) if is_used else None
            output = self._look()
            if output.whole is None or self.job.overwrite:  # otherwise there may be nothing to compute
                engines.prepare()
            known = _Known.of(output, self.job.overwrite)
            listing = stack.enter_context(self.job.listed_in_parts(known.types, output.n_parts))
            if lock is None:
                held = NOTHING if known.columns is None else replace(NOTHING, columns=known.columns)
                planning.columns_of(listing, held, self.job.settings.segments)  # raises its errors
                lock = stack.enter_context(output_folder.locked(path))
                output = self._look()
            planned = self.plan(output, listing, known.columns)
            self._report(planned, output)
            try:
                for number in range(len(planned)):
                    self._compute(planned, number, engines, lock, output)
                lock.check()
                return self._complete(output)
            except BaseException as error:
                self.job.reporter.stopped(str(error) or f"It was interrupted. {AGAIN}")
                raise

    def _look(self) -> PartedOutput:
        output = PartedOutput.look(self.job.settings.output, self.n_parts, overwrite=self.job.overwrite)
        assert output is not None
        return output

    def _set_job(self, folder: str, known: Columns | None, keep_old_seconds: float) -> SetJob:
        return replace(
            self.job.set_job,
            settings=replace(self.job.settings, output=folder),
            keep_old_seconds=keep_old_seconds,
            is_part=True,
            known_columns=known,
        )

    def plan(self, output: PartedOutput, listing: PartedListing, known: Columns | None) -> list[PlannedPart]:
        """Plans all parts and writes their plans, before any of them is computed.

        Args:
            output: What the output folder contains. The job holds it.
            listing: The clips of the input.
            known: Metadata columns of the parts so far.
        """
        _remove_temporaries(output.output)
        keep = output.seconds_to_keep(self.job.keep_old_seconds)
        return [
            self._plan(self._set_job(folder, known, keep), listing, number)
            for number, folder in enumerate(output.folders)
        ]

    def _plan(self, set_job: SetJob, listing: PartedListing, number: int) -> PlannedPart:
        output = set_job.settings.output
        files.make_folder(output)
        clips = listing.part(number)
        with parted_sets.damage_explained(output):
            work = set_job.prepare(set_job.look(), clips)
        if isinstance(work, Description):
            failures = work.counts["failures"]
            done = Done(clips=clips.n_clips, failures=failures, seconds=0.0, shards=0)
            nothing = planning.nothing_to_do(set_job.settings, clips)
            return PlannedPart(output=output, work=nothing, done=done, is_done=True)
        finished = Finished(work)
        finished.check_shards()
        return PlannedPart(output=output, work=work, done=finished.done, is_done=False)

    def _report(self, planned: list[PlannedPart], output: PartedOutput) -> None:
        total = planning.total(self.job.settings, [part.work for part in planned], is_new=output.whole is None)
        counted = _counted(planned, output) or planned  # of an update without work, all clips are done
        done = sum(part.done.clips for part in counted)
        failed = sum(part.done.failures for part in counted)
        self.job.reporter.planned(**facts(total), done_before=done, failed_before=failed)

    def _compute(
        self, planned: list[PlannedPart], number: int, engines: Engines, lock: locks.Held, output: PartedOutput
    ) -> None:
        """Computes a part, unless it is complete."""
        part = planned[number]
        if part.is_done:
            return
        others = _added([other for place, other in enumerate(planned) if place != number], output)
        finished = Finished(part.work)
        finished.refresh()
        self.job.shard_work(engines, others).run(part.work, finished, lock)
        keep = output.seconds_to_keep(self.job.keep_old_seconds)
        planned[number] = replace(part, done=finished.done)
        completion.finish(part.work, keep_old_seconds=keep, may_be_empty=True)

    def _complete(self, output: PartedOutput) -> PartedSet:
        """Publishes the whole, unless it is what the folder has already, and removes what is obsolete."""
        names = [folder.rpartition("/")[2] for folder in output.folders]
        descriptions = [Description.open(folder) for folder in output.folders]
        if not any(description.counts["clips"] for description in descriptions):
            stays = "" if output.whole is None else f" The old feature set in {output.output!r} stays."
            raise FeatureSetError(_nothing(descriptions) + stays)
        found = [
            generations.of(description)._replace(path=name)
            for name, description in zip(names, descriptions, strict=True)
        ]
        before = output.whole
        if before is None or list(before.parts) != found:
            now = int(time.time())
            entries = [] if before is None else [*before.obsolete, {"replaced": now, "parts": before.names}]
            entries = [{**entry, "parts": [name for name in entry["parts"] if name not in names]} for entry in entries]
            versions = [{"versions": machine["versions"]} for item in descriptions for machine in item.machines]
            before = PartedSet(
                path=output.output,
                fingerprint=descriptions[0].fingerprint,
                parts=found,
                generation=1 if before is None else before.generation + 1,
                written=now,
                obsolete=[entry for entry in entries if entry["parts"]],
                machines=[machine for place, machine in enumerate(versions) if machine not in versions[:place]],
            )
            before.write()
        parted_sets.sweep(before, keep_old_seconds=self.job.keep_old_seconds)
        for description in descriptions:
            retention.sweep(description, keep_old_seconds=self.job.keep_old_seconds)
        return before


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the parts in a folder have in common.

    Args:
        types: Types of the metadata columns.
        columns: The metadata columns, with the classes that have a number in any part. None if there are no parts.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    columns: Columns | None = None

    @classmethod
    def of(cls, output: PartedOutput, overwrite: bool) -> "_Known":
        """Looks into the parts. An interrupted job may have brought only some of them up to date."""
        if not output.output or overwrite:
            return cls()
        found = [columns for folder in output.folders for columns in _columns_in(folder)]
        if not found:
            return cls()
        types: dict[str, str] = {}
        classes: dict[str, list[str]] = {}
        fill_values: dict[str, int] = {}
        for columns in found:
            types.update(columns.types)
            fill_values.update(columns.fill_values)
            for name, names in columns.classes.items():
                classes[name] = list(dict.fromkeys([*classes.get(name, []), *names]))
        return cls(types=types, columns=Columns(types=types, classes=classes, fill_values=fill_values))


def _columns_in(folder: str) -> Iterator[Columns]:
    """Yields the columns of the feature set and of the pending plan in the folder of a part."""
    if not files.exists(folder):
        return
    with parted_sets.damage_explained(folder):
        found: OutputFolder = pending.undisturbed(lambda: OutputFolder.look(folder, is_part=True))
    yield from (known.columns for known in (found.description, found.pending) if known is not None)


def _counted(planned: Iterable[PlannedPart], output: PartedOutput) -> list[PlannedPart]:
    """Returns the parts whose clips are work of the job. Those of an update that are up to date are not."""
    return [part for part in planned if not part.is_done or output.whole is None]


def _added(parts: list[PlannedPart], output: PartedOutput) -> OtherParts:
    """Returns what is known about some parts."""
    counted = _counted(parts, output)
    done = Done(clips=0, failures=0, seconds=0.0, shards=0)
    for part in counted:
        done += part.done
    clips = sum(part.work.n_clips for part in counted)
    return OtherParts(clips=clips, kept=sum(part.work.n_input for part in parts) - clips, done=done)


def _remove_temporaries(output: str) -> None:
    """Removes temporary files beside the parts, which a killed job left."""
    for name in files.sizes(output):
        if output_folder.final_name(name) != name:
            files.remove(files.join(output, name))


def _nothing(descriptions: list[Description]) -> str:
    """Returns why a job leads to no record."""
    counts: Counter[str] = Counter()
    for description in descriptions:
        counts.update({name: description.counts.get(name, 0) for name in ("failures", "short_recordings")})
    first: dict[str, Any] = next((failure for item in descriptions for failure in item.failures()), {})
    if not first:
        return completion.all_too_short(counts["short_recordings"])
    return completion.all_failed(counts["failures"], first)
