"""Plans that release 0.1 left beside its feature sets. Only they say where the audio of the clips was."""

import re
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from audiopipe.configs.clip_lengths import fewest_samples
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import index
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index.layout import SOURCE_TYPE
from audiopipe.inputs.listings import Listed
from audiopipe.precompute.source_changes import source_facts
from audiopipe.precompute.stored_clips import text
from audiopipe.storage import files
from audiopipe.transform.segments import recording_of

FOLDER = "plan"
_CLIPS = re.compile(r"clips-\d{5,}\.jsonl")


def listed(description: Description) -> dict[str, Listed]:
    """Returns the clips of the input of a feature set of format 1, by their ids.

    Raises:
        FeatureSetError: If the feature set has no plan, or its plan is damaged.
    """
    folder = files.join(description.path, FOLDER)
    names = [name for name in files.walk(folder) if _CLIPS.fullmatch(name)] if files.exists(folder) else []
    if not names:
        raise without_sources(description)
    clips: dict[str, Listed] = {}
    for name in names:
        try:
            for line in files.read_bytes(files.join(folder, name)).splitlines()[1:]:
                clip = Listed.from_json(line)
                clips[clip.source.id] = clip
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CorruptFeatureSetError(
                f"{files.join(folder, name)!r} is damaged: {type(error).__name__}: {error}. Pass --overwrite to "
                "compute the feature set again."
            ) from error
    return clips


def without_sources(description: Description) -> FeatureSetError:
    """Returns the error about a feature set that does not say where its audio is, so that nothing can be compared."""
    return FeatureSetError(
        f"{description.path!r} contains a complete feature set of this config, with {description.counts['clips']} "
        "clips, but nothing that says where their audio is. Read it with audiopipe.load, choose another folder, or "
        "pass --overwrite to compute it again."
    )


def with_sources(rows: pa.Table, layout: index.Layout, ids: pa.Array, clips: dict[str, Listed]) -> pa.Table:
    """Returns rows of the index with what the plan says about the audio and the metadata.

    Records of format 1 have an empty string where text is missing, so only the plan tells the two apart.

    Args:
        rows: The rows.
        layout: Their layout.
        ids: Ids of the records, binary.
        clips: The clips of the input.
    """
    sources: list[dict[str, Any]] = []
    metadata: list[dict[str, Any]] = []
    for name in map(text, ids.to_pylist()):
        clip = clips.get(recording_of(name, clips))
        sources.append({} if clip is None else asdict(source_facts(clip, name, None)))
        metadata.append({} if clip is None else layout.columns.normalized(clip.source.metadata))
    children = [pa.array([fact.get(child.name) for fact in sources], child.type) for child in SOURCE_TYPE]
    rows = _replaced(rows, layout.own["source"], pa.StructArray.from_arrays(children, fields=list(SOURCE_TYPE)))
    for column, name in layout.metadata.items():
        kind = rows.schema.field(name).type
        rows = _replaced(rows, name, pa.array([values.get(column) for values in metadata], kind))
    return rows


def with_seconds(rows: pa.Table, layout: index.Layout, description: Description) -> pa.Table:
    """Returns rows of the index with the length of each clip, which neither the records nor the plan contain.

    It is that of a segment, or else the shortest length that gives as many frames, so up to one hop too short.

    Args:
        rows: The rows.
        layout: Their layout.
        description: The feature set.
    """
    config, segments = description.config, description.segments
    frames = rows.column(layout.own["n_frames"]).to_numpy()
    if segments is not None and segments.last != "keep":
        samples = np.full(len(frames), segments.sizes(config)[0])
    else:
        different, places = np.unique(frames, return_inverse=True)
        shortest = [fewest_samples(config, count) for count in different.tolist()]
        samples = np.array(shortest, np.int64)[places]
    return _replaced(rows, layout.own["seconds"], pa.array(samples / config.sample_rate))


def _replaced(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    position = rows.schema.get_field_index(name)
    return rows.set_column(position, rows.schema.field(position), values)
