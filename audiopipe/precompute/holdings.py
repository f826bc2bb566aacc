"""What an output folder holds already: the clips of a feature set, and those of finished shards of a pending plan."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.feature_sets import file_names, index
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.changes import StoredAudio
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import former_plans, planned_clips, probed_machines, row_files
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.stored_clips import Clips, Shard, Waiting, record_ids, text
from audiopipe.storage import files
from audiopipe.transform.segments import recording_of

SHARD_FACTS = ("name", "id", "records", "bytes", "sha256", "max_error")
SUMS = "sums"  # also in sidecars and plans, see `audiopipe.feature_sets.stored_statistics`


@dataclass(frozen=True, kw_only=True, eq=False)
class Holdings:
    """What an output folder holds.

    Args:
        columns: Metadata columns of the records, with all classes that have got a number.
        shards: The shards.
        clips: Clips with records. If a clip occurs twice, the first one counts.
        lost: Ids of clips whose shard is missing or has another size.
        waiting: Clips of a pending plan that are not computed yet.
        failed: What is known about the audio of each clip that failed, in whole or in part.
        short: What is known about the audio of each recording that is too short for a segment.
        remarks: Remarks about clips.
        machines: Machines that computed the features.
    """

    columns: Columns
    shards: list[Shard] = field(default_factory=list)
    clips: list[Clips] = field(default_factory=list)
    lost: frozenset[str] = frozenset()
    waiting: Waiting | None = None
    failed: dict[str, StoredAudio] = field(default_factory=dict)
    short: dict[str, StoredAudio] = field(default_factory=dict)
    remarks: list[dict[str, Any]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)


NOTHING = Holdings(columns=Columns(types={}))


def of_feature_set(description: Description) -> Holdings:
    """Returns what a complete feature set holds. Shards whose file is missing or has another size are left out.

    Raises:
        FeatureSetError: If the feature set does not say where the audio of its clips is.
    """
    tables = list(index.opened(description).tables())
    rows = pa.concat_tables(tables) if tables else index.schema(description.columns).empty_table()
    if description.format_version < 2:
        return _of_former(description, rows)
    layout = index.Layout(description.columns)
    if pc.all(pc.is_null(pc.struct_field(rows.column(layout.own["source"]), "path"))).as_py():
        raise former_plans.without_sources(description)
    gone = missing(description.path, description.shards)
    shards: list[Shard] = []
    lost: list[Shard] = []
    start = 0
    for facts in description.shards:
        (lost if facts["name"] in gone else shards).append(Shard(facts, rows.slice(start, facts["records"])))
        start += facts["records"]
    remarks, segmented = description.remarks(), description.segments is not None
    return Holdings(
        columns=description.columns,
        shards=shards,
        clips=[Clips.of(shards, 0, description.columns, segmented)] if shards else [],
        lost=_ids(Clips.of(lost, 0, description.columns, segmented)) if lost else frozenset(),
        failed=_audio_by_clip(description.failures()),
        short=_audio_by_clip(remark for remark in remarks if remark.get("short")),
        remarks=remarks,
        machines=description.machines,
    )


def _of_former(description: Description, rows: pa.Table) -> Holdings:
    """Returns what a feature set of format 1 holds. All its records have to be copied."""
    listed = former_plans.listed(description)
    layout = index.Layout(description.columns)
    rows = former_plans.with_sources(rows, layout, record_ids(rows, layout), listed)
    rows = former_plans.with_seconds(rows, layout, description)
    shards, start = [], 0
    for facts in description.shards:
        facts = {**facts, "id": "", "max_error": description.max_error}
        shards.append(Shard(facts, rows.slice(start, facts["records"]), current=False))
        start += facts["records"]
    clips = Clips.of(shards, 0, description.columns, description.segments is not None)
    failed = {recording_of(failure["id"], listed) for failure in description.failures()}
    without = listed.keys() - failed - _ids(clips)
    # Only recordings that are too short got a remark at this stage.
    remarks = [
        {**remark, "short": True} if remark["stage"] == "feature" else remark for remark in description.remarks()
    ]
    return Holdings(
        columns=description.columns,
        shards=shards,
        clips=[clips],
        failed={name: StoredAudio.of(listed[name]) for name in failed if name in listed},
        short={name: StoredAudio.of(listed[name]) for name in without},
        remarks=remarks,
        machines=description.machines,
    )


def with_pending(held: Holdings, work: Plan) -> Holdings:
    """Adds what a pending plan has finished, and what it was about to do. Writes nothing, as a job may be running."""
    finished = Finished(work)
    finished.find()
    incomplete = finished.incomplete()
    sidecars = [sidecar for sidecar in finished.sidecars() if sidecar["shard"] not in incomplete]
    known = {shard.facts["name"] for shard in held.shards}
    # A plan that followed another pending one keeps what that one had finished, whose rows are in the plan.
    facts = [kept for kept in work.kept() if kept["name"] not in known and files.exists(_rows_file(work, kept["name"]))]
    gone = missing(work.output, facts)
    # The feature set has no sums of these shards.
    names = (*SHARD_FACTS, SUMS)
    facts += [{name: sidecar[name] for name in names if name in sidecar} for sidecar in sidecars if sidecar["records"]]
    shards = [Shard(fact, _rows(work, fact["name"])) for fact in facts if fact["name"] not in gone]
    lost = [Shard(fact, _rows(work, fact["name"])) for fact in facts if fact["name"] in gone]
    segmented = work.segments is not None
    new = [Clips.of(shards, len(held.shards), work.columns, segmented)] if shards else []
    done = {sidecar["shard"] for sidecar in sidecars}
    waiting = [clip.listed.to_json() for shard, clip in planned_clips.of_plan(work) if shard not in done]
    computed = frozenset().union(*map(_ids, new))
    kept = [remark for remark in work.remarks() if remark.get("short") or input_clip(remark) in computed]
    made = [*kept, *_all(sidecars, "remarks")]
    failed = _audio_by_clip(_all(sidecars, "failures"))
    short = _audio_by_clip(remark for remark in made if remark.get("short"))
    tried = computed | failed.keys() | short.keys()
    before = [remark for remark in held.remarks if input_clip(remark) not in tried]
    return Holdings(
        columns=work.columns,
        shards=[*held.shards, *shards],
        clips=[*new, *held.clips],
        lost=(held.lost | (_ids(Clips.of(lost, 0, work.columns, segmented)) if lost else frozenset())) - tried,
        waiting=Waiting(lines=waiting, columns=work.columns, is_segmented=segmented),
        failed={**{name: audio for name, audio in held.failed.items() if name not in tried}, **failed},
        short={**{name: audio for name, audio in held.short.items() if name not in tried}, **short},
        remarks=[*before, *made],
        machines=probed_machines.of_sidecars(work, sidecars, [*held.machines, *work.machines]),
    )


def missing(output: str, shards: Iterable[dict[str, Any]]) -> set[str]:
    """Returns the names of the shards whose file is missing or has another size.

    Args:
        output: The folder.
        shards: Facts about the shards, as in `dataset.json`.
    """
    sizes = files.sizes(output)
    return {facts["name"] for facts in shards if sizes.get(facts["name"]) != facts["bytes"]}


def input_clip(fact: dict[str, Any]) -> str:
    """Returns the id of the input clip that a failure or a remark is about, which may be about a segment of it."""
    return fact.get("recording", fact["id"])


def _ids(clips: Clips) -> frozenset[str]:
    return frozenset(map(text, clips.ids.to_pylist()))


def _rows_file(work: Plan, name: str) -> str:
    return work.rows_file(file_names.shard_number(name))


def _rows(work: Plan, name: str) -> pa.Table:
    return row_files.read(_rows_file(work, name))


def _all(sidecars: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [fact for sidecar in sidecars for fact in sidecar[name]]


def _audio_by_clip(facts: Iterable[dict[str, Any]]) -> dict[str, StoredAudio]:
    """Returns what failures or remarks say about the audio of their clips, by the ids of the input clips."""
    names = ("row", "start", "end", "size", "version")
    return {
        input_clip(fact): StoredAudio(
            path=index.escaped(fact["path"]),
            time_ns=fact.get("time"),
            digest=None,
            **{name: fact.get(name) for name in names},
        )
        for fact in facts
    }
