"""Publication of a generation of a feature set: its other files, then `dataset.json`, then the copies for people.

Until `dataset.json` is replaced, readers see the generation before. It names every file of its generation, so it alone
decides what belongs to the feature set. A publication that is interrupted at any point can be repeated.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from audiopipe.feature_sets import file_names, index, retention, set_files, stored_statistics
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.file_names import CLIPS_FILE, DATASET_FILE, FAILURES_FILE, REMARKS_FILE
from audiopipe.storage import files


def publish(
    description: Description,
    rows: Iterable[pa.Table],
    failures: Iterable[dict[str, Any]],
    remarks: Iterable[dict[str, Any]],
    sums: Iterable[dict[str, Any] | None],
    *,
    previous: Description | None = None,
    keep_old_seconds: float = retention.KEEP_OLD_SECONDS,
) -> Description:
    """Publishes a generation of a feature set whose shards are written.

    Args:
        description: The feature set. Its facts about other files than the shards are filled in.
        rows: Rows of the index in the order of the records, as tables.
        failures: Facts about each clip that failed.
        remarks: Facts about each remark.
        sums: Sums of each shard, as for `stored_statistics.write`.
        previous: The generation that is replaced. None if there is none.
        keep_old_seconds: How long the files of replaced generations are kept.

    Returns:
        The feature set as `dataset.json` describes it now.
    """
    output, generation = description.path, description.generation
    index_file = files.join(output, file_names.index_name(generation))
    with files.temporary_file(index_file) as temporary:
        with index.Writer(temporary, index.schema(description.columns)) as writer:
            for table in rows:
                writer.write(table)
        index_facts = set_files.facts_of(file_names.index_name(generation), temporary)
    complete = replace(
        description,
        index=index_facts,
        failures_file=_write_lines(output, file_names.failures_name(generation), failures),
        remarks_file=_write_lines(output, file_names.remarks_name(generation), remarks),
        statistics_file=stored_statistics.write(description, sums),
    )
    complete = replace(complete, obsolete=retention.obsolete(previous, complete, time.time(), keep_old_seconds))
    if previous is not None:
        kept = files.read_bytes(files.join(output, DATASET_FILE))
        files.write_bytes(files.join(output, file_names.description_name(previous.generation)), kept)
    complete.write()
    settle(complete, keep_old_seconds=keep_old_seconds)
    return complete


def settle(description: Description, *, keep_old_seconds: float = retention.KEEP_OLD_SECONDS) -> None:
    """Does what follows the publication: writes the copies under stable names and removes obsolete files."""
    for name, facts in (
        (CLIPS_FILE, description.index),
        (FAILURES_FILE, description.failures_file),
        (REMARKS_FILE, description.remarks_file),
    ):
        if facts is not None and facts["name"] != name:
            files.copy(files.join(description.path, facts["name"]), files.join(description.path, name))
    retention.sweep(description, keep_old_seconds=keep_old_seconds)


def _write_lines(output: str, name: str, facts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Writes failures or remarks, one line of JSON each."""
    path = files.join(output, name)
    with files.temporary_file(path) as temporary:
        with open(temporary, "wb") as file:
            for fact in facts:
                file.write(json.dumps(fact, sort_keys=True).encode() + b"\n")
        return set_files.facts_of(name, temporary)
