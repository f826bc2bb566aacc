"""Overview of a feature set, finished or not, as JSON."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import dataset_json, file_names, index, parted_sets
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.feature_sets.feature_set import of_descriptions as feature_set_of
from audiopipe.feature_sets.index import Index
from audiopipe.feature_sets.message_kinds import kind
from audiopipe.feature_sets.parted_sets import PartedSet
from audiopipe.precompute import pending, plan
from audiopipe.precompute.pending import Pending
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files
from audiopipe.transform import probe

KEYS = (
    "path",
    "complete",
    "parts",
    "format_version",
    "generation",
    "fingerprint",
    "kernel_version",
    "config",
    "dtype",
    "max_error",
    "counts",
    "seconds",
    "shards",
    "bytes",
    "statistics",
    "metadata",
    "classes",
    "fill_values",
    "failures",
    "remarks",
    "segments",
    "options",
    "accept_truncated",
    "notes",
    "machines",
    "unfinished",
)
COUNTS = ("clips", "failures", "remarks", "left_out", "short_recordings", "frames", "hours")
END_COUNTS = ("cut_clips", "dropped_seconds", "padded_seconds")  # only if they are not 0


def overview(output: str) -> dict[str, Any]:
    """Returns what there is to know about a feature set without reading its features.

    Args:
        output: Folder of the feature set.

    Returns:
        A dict of JSON values. `docs/concepts/command-line.md` describes its keys, which all feature sets have. None
        means unknown: an unfinished feature set has no counts, and older releases recorded less.

    Raises:
        IncompleteFeatureSetError: If the folder holds neither a feature set nor an unfinished one.
        CorruptFeatureSetError: If a file is missing or damaged. The message names the file.

    Example:
        >>> facts = overview("tests/data/v0.1/features")
        >>> facts["counts"]["clips"], facts["dtype"], facts["unfinished"]
        (3, 'float32', None)
    """
    whole = parted_sets.PartedSet.read(output)
    is_complete = files.exists(files.join(output, DATASET_FILE))
    names = whole.names if whole is not None else [] if is_complete else parted_sets.part_names(output)
    unfinished = _unfinished([files.join(output, name) for name in names] or [output])
    if unfinished is None and not is_complete:
        parted_sets.check_finished(output)  # it stopped between two parts, or before the whole was written
    facts: dict[str, Any] = {"path": output, "complete": True}
    if unfinished is not None:
        facts["unfinished"] = {"parts": _finished_parts(output, names), **_progress(unfinished)}
    if unfinished is not None and not is_complete:
        work = unfinished[0].work
        facts |= {**_settings(work, work.config.kernel_version), "complete": False, "parts": len(names) or None}
    else:
        facts |= _described(Description.open(output)) if whole is None else _described_parts(whole)
    return {name: facts.get(name) for name in KEYS}


def _unfinished(folders: Sequence[str]) -> list[Pending] | None:
    """Returns the progress of each feature set whose work is not finished, or None if there is none."""
    found = [unfinished for folder in folders if (unfinished := pending.progress_of(folder)) is not None]
    return found or None


def _described_parts(whole: PartedSet) -> dict[str, Any]:
    """Returns what there is to know about a feature set in parts, added up."""
    descriptions = whole.descriptions()
    feature_set, each = feature_set_of(descriptions), [_described(description) for description in descriptions]
    ends = [facts["seconds"] for facts in each if facts["seconds"] is not None]
    known = [facts["statistics"] for facts in each]
    counts = {name: feature_set.counts.get(name) for name in COUNTS}
    return {
        **each[0],
        "parts": len(descriptions),
        "format_version": dataset_json.PARTS_VERSION,
        "generation": whole.generation,
        "counts": counts | {name: feature_set.counts[name] for name in END_COUNTS if name in feature_set.counts},
        "seconds": {
            "min": min((end["min"] for end in ends if end["min"] is not None), default=None),
            "max": max((end["max"] for end in ends if end["max"] is not None), default=None),
        },
        "classes": {column: _added([facts["classes"][column] for facts in each]) for column in feature_set.classes},
        "max_error": feature_set.max_error,
        "shards": sum(facts["shards"] for facts in each),
        "bytes": sum(facts["bytes"] for facts in each),
        "statistics": None if None in known else f"{whole.names[0]}/{known[0]}",
        "failures": _merged_kinds([facts["failures"] for facts in each]),
        "remarks": _merged_kinds([facts["remarks"] for facts in each]),
        "notes": feature_set.notes,
        "accept_truncated": feature_set.accept_truncated,
        "machines": list(map(probe.without_values, feature_set.machines)),
    }


def _added(classes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the number of clips of each class of a column in all parts."""
    counts: Counter[str] = Counter()
    for found in classes:
        counts.update(found["counts"])
    return {"counts": dict(counts), "missing": sum(found["missing"] for found in classes)}


def _merged_kinds(lists: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for kinds in lists:
        counts.update({item["kind"]: item["count"] for item in kinds})
    return _kinds(counts.most_common())


def _described(feature_set: Description) -> dict[str, Any]:
    opened = None if feature_set.index is None else index.opened(feature_set)
    failures = (f"{failure['stage']}: {failure['error']}" for failure in feature_set.failures())
    remarks = (str(remark["remark"]) for remark in feature_set.remarks())
    return {
        "format_version": feature_set.format_version,
        "generation": feature_set.generation,
        **_settings(feature_set, feature_set.kernel_version),
        "counts": {
            **{name: feature_set.counts.get(name) for name in COUNTS},
            **{name: feature_set.counts[name] for name in END_COUNTS if name in feature_set.counts},
        },
        "seconds": None if opened is None else _durations(opened),
        "classes": _classes(feature_set) if opened is None else _class_counts(opened),
        "max_error": feature_set.max_error,
        "shards": len(feature_set.shards),
        "bytes": sum(shard["bytes"] for shard in feature_set.shards),
        "statistics": feature_set.statistics_file and feature_set.statistics_file["name"],
        "failures": _kinds(Counter(map(kind, failures)).most_common()),
        "remarks": _kinds(Counter(map(kind, remarks)).most_common()),
        "machines": list(map(probe.without_values, feature_set.machines)),
    }


def _durations(opened: Index) -> dict[str, Any]:
    """Returns the durations of the shortest and the longest clip in seconds."""
    shortest, longest = [], []
    for [seconds] in _groups(opened, (opened.layout.own["seconds"],)):
        limits = pc.min_max(seconds).as_py()
        shortest.append(limits["min"])
        longest.append(limits["max"])
    known = [value for value in (*shortest, *longest) if value is not None]
    return {"min": min(known, default=None), "max": max(known, default=None)}


def _class_counts(opened: Index) -> dict[str, Any]:
    """Returns the number of clips of each class of each class column."""
    layout = opened.layout
    classes = layout.columns.classes
    # The last number of each column is that of clips without a class.
    counts = {column: np.zeros(len(names) + 1, int) for column, names in classes.items()}
    for values in _groups(opened, *((layout.metadata[column],) for column in classes)):
        for column, positions in zip(classes, values, strict=True):
            missing = len(classes[column])
            found = positions.fill_null(missing).to_numpy()
            if found.min(initial=0) < 0 or found.max(initial=0) > missing:
                raise CorruptFeatureSetError(
                    f"The column {column!r} of the index must have the positions of {missing} classes. Run 'audiopipe "
                    "verify' to check the feature set."
                )
            counts[column] += np.bincount(found, minlength=missing + 1)
    return {
        column: {
            "counts": dict(zip(names, counts[column][:-1].tolist(), strict=True)),
            "missing": int(counts[column][-1]),
        }
        for column, names in classes.items()
    }


def _groups(opened: Index, *paths: tuple[str, ...]) -> Iterator[list[Any]]:
    """Yields columns of each group of rows."""
    return (opened.read(group, *paths) for group in range(len(opened.starts) - 1))


def _classes(source: Description | Plan) -> dict[str, Any]:
    """Returns the classes of each class column, without the number of their clips."""
    return {column: {"counts": dict.fromkeys(names), "missing": None} for column, names in source.classes.items()}


def _settings(source: Description | Plan, kernel_version: int) -> dict[str, Any]:
    """Returns what `dataset.json` says, and a plan as well."""
    return {
        "fingerprint": source.config.fingerprint_at(kernel_version),
        "kernel_version": kernel_version,
        "config": source.config.to_dict(),
        "dtype": source.dtype,
        "metadata": source.schema,
        "fill_values": source.fill_values,
        "classes": _classes(source),
        "segments": source.segments.to_dict() if source.segments else None,
        "options": source.options.to_dict(),
        "accept_truncated": source.accept_truncated,
        "notes": source.notes,
    }


def _finished_parts(output: str, names: Sequence[str]) -> dict[str, int] | None:
    """Returns how many of the parts a job has finished. None if the feature set has no parts."""
    folders = [files.join(output, name) for name in names]
    done = sum(files.exists(files.join(folder, DATASET_FILE)) and not plan.exists(folder) for folder in folders)
    return {"done": done, "total": file_names.parts_in(names[0]) or 0} if names else None


def _progress(unfinished: Sequence[Pending]) -> dict[str, Any]:
    """Returns the progress of the work on a feature set, or on those of its parts that are not finished."""
    works, done = [item.work for item in unfinished], [item.done for item in unfinished]
    errors: Counter[str] = Counter()
    for item in unfinished:
        errors.update(dict(item.errors))
    changes = plan.total_changes([work.changes for work in works])
    return {
        "clips": {"done": sum(item.clips for item in done), "total": sum(work.n_clips for work in works)},
        "shards": {"done": sum(item.shards for item in done), "total": sum(work.n_shards for work in works)},
        "seconds": {"done": sum(item.seconds for item in done), "total": sum(work.seconds for work in works)},
        "changes": None if changes is None else dataclasses.asdict(changes),
        "failures": _kinds(errors.most_common()),
    }


def _kinds(counted: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"kind": name, "count": count} for name, count in counted]
