"""Overview of a feature set, finished or not, as JSON."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import index
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.feature_sets.index import Index
from audiopipe.feature_sets.message_kinds import kind
from audiopipe.precompute import pending
from audiopipe.precompute.pending import Pending
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files
from audiopipe.transform import probe

KEYS = (
    "path",
    "complete",
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
        A dict of JSON values. `docs/command-line.md` describes its keys, which all feature sets have. None stands for
        what is not known: an unfinished feature set has no counts, and older releases recorded less.

    Raises:
        IncompleteFeatureSetError: If the folder holds neither a feature set nor an unfinished one.
        CorruptFeatureSetError: If a file is missing or damaged. The message names the file.

    Example:
        >>> facts = overview("tests/data/v0.1/features")
        >>> facts["counts"]["clips"], facts["dtype"], facts["unfinished"]
        (3, 'float32', None)
    """
    unfinished = pending.progress_of(output)
    facts: dict[str, Any] = {"path": output, "complete": True}
    if unfinished is not None:
        facts["unfinished"] = _progress(unfinished)
    if unfinished is not None and not _is_complete(output):
        facts |= {**_settings(unfinished.work, unfinished.work.config.kernel_version), "complete": False}
    else:
        facts |= _described(Description.open(output))
    return {name: facts.get(name) for name in KEYS}


def _is_complete(output: str) -> bool:
    return files.exists(files.join(output, DATASET_FILE))


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


def _progress(unfinished: Pending) -> dict[str, Any]:
    work, done = unfinished.work, unfinished.done
    return {
        "clips": {"done": done.clips, "total": work.n_clips},
        "shards": {"done": done.shards, "total": work.n_shards},
        "seconds": {"done": done.seconds, "total": work.seconds},
        "changes": None if work.changes is None else dataclasses.asdict(work.changes),
        "failures": _kinds(unfinished.errors),
    }


def _kinds(counted: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"kind": name, "count": count} for name, count in counted]
