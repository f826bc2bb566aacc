"""Records of one shard: they are encoded and written, and what the sidecar and the index say of them is collected."""

import contextlib
import time
from dataclasses import replace
from typing import Any

import numpy as np

from audiopipe.audio.remarks import Remark
from audiopipe.errors import AudioError, OutputError, StoppedError
from audiopipe.feature_sets import index, record_heads, records, tfrecords, valid_frames
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.precompute import probed_machines, shard_reader
from audiopipe.precompute.copied_records import OlderShards
from audiopipe.precompute.ordered_records import OrderedRecords, Record
from audiopipe.precompute.planned_clips import Part
from audiopipe.precompute.shard_reader import Clip, Copied, Finished, Hashed, Noticed
from audiopipe.precompute.source_changes import source_facts
from audiopipe.precompute.writing import writing
from audiopipe.runtime import stopping
from audiopipe.transform import ends
from audiopipe.transform.clip_items import Computed, Failed
from audiopipe.transform.segments import parse_id
from audiopipe.transform.transform import Transform


class ShardRecords:
    """Writer of the records of one shard. A context manager.

    Args:
        part: The clips of the shard.
        transform: Transform that computes clips whose older records are damaged.
        file: The file of the shard.
    """

    def __init__(self, part: Part, transform: Transform, file: tfrecords.Writer):
        self._plan = part.plan
        self._part = part
        self._file = file
        self._transform = transform
        self._digests: dict[int, bytes | None] = {}
        self._written: list[tuple[int, Record, int]] = []  # number of the clip, record without content, offset
        self._sizes: list[int] = []
        self._sums = ClipSums(part.plan.config)
        self._seconds = 0.0
        self._max_error = 0.0
        self._has_computed = False
        self._seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
        self._failures: list[tuple[int, dict[str, Any]]] = []
        self._remarks: list[tuple[int, dict[str, Any]]] = []
        self._open = contextlib.ExitStack()
        self._older = self._open.enter_context(OlderShards(part.plan.output))
        self._ordered = self._open.enter_context(OrderedRecords(self._write))

    def __enter__(self) -> "ShardRecords":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def facts(self) -> dict[str, Any]:
        """Returns what the sidecar says about the records."""
        return {
            "records": len(self._written),
            "clips": len(self._part.clips),
            "seconds": self._seconds,
            "max_error": self._max_error,
            "sums": self._sums.to_dict(),
            "failures": _in_order(self._failures),
            "remarks": _in_order(self._remarks),
            "seconds_spent": self._seconds_spent,
            **self._machine(),
        }

    def rows(self) -> list[index.Row]:
        """Returns the rows of the index, in the order of the records."""
        rows = []
        for place, ((number, record, offset), size) in enumerate(zip(self._written, self._sizes, strict=True)):
            listed, source = self._part.clips[number].listed, record.source
            rows.append(
                index.Row(
                    id=source.id,
                    n_frames=record.n_frames,
                    valid_frames=record.valid_frames,
                    seconds=record.seconds,
                    metadata=self._plan.columns.normalized(source.metadata),
                    shard=0,  # its place in dataset.json is known when the feature set is complete
                    number=place,
                    offset=offset,
                    bytes=size,
                    source=source_facts(listed, source.id, self._digests.get(number)),
                )
            )
        return rows

    def add(self, item: Any) -> None:
        """Adds an item of `audiopipe.precompute.shard_reader`, whose clips have been computed.

        Raises:
            OutputError: If the shard cannot be written.
            StoppedError: If the job was stopped.
        """
        if isinstance(item, Computed):
            self._check_stopped()
            self._add(item)
        elif isinstance(item, Copied):
            self._check_stopped()
            if not self._copy(item):
                for found in self._transform.computed(shard_reader.items(self._part, [item.number], self._transform)):
                    self.add(found)
        elif isinstance(item, Failed):
            self._fail(item.key, item.error, "read" if item.while_reading else "feature")
        elif isinstance(item, Noticed):
            self._remark(item.clip, item.remark)
        elif isinstance(item, Hashed):
            self._digests[item.number] = item.digest
        elif isinstance(item, Finished):
            self._ordered.finish(item.number)
            self._seconds_spent["read"] += item.seconds

    def _add(self, made: Computed) -> None:
        """Adds the record of a clip. An error fails the clip alone."""
        clip, started = made.key, time.perf_counter()
        self._seconds_spent["feature"] += made.seconds
        if isinstance(made.feature, Exception):
            self._fail(clip, made.feature, "feature")
            return
        self._has_computed = True
        try:
            self._encode(clip, made.feature, made.n_samples)
        except (OutputError, StoppedError):
            raise
        except Exception as error:
            self._fail(clip, error, "feature")
        self._seconds_spent["record"] += time.perf_counter() - started

    def _encode(self, clip: Clip, feature: np.ndarray, n_samples: int) -> None:
        config = self._plan.config
        n_valid = n_samples if clip.n_valid is None else clip.n_valid
        n_frames = feature.shape[config.frame_axis]
        valid = min(n_frames, int(config.valid_frames(n_valid)))
        place = len(self._written)
        content, error = records.encode(
            clip.source.id,
            feature,
            config,
            clip.source.metadata,
            self._plan.columns,
            records.Place(self._part.id, place),
            self._plan.dtype,
            valid_frames=valid,
        )
        self._sums.add(feature, valid, self._plan.dtype)
        seconds = n_samples / config.sample_rate
        self._ordered.add(clip.number, Record(content, place, clip.source, n_frames, valid, seconds))
        cut = ends.cut(n_valid, config)
        if cut is not None:
            self._remark(clip, cut)
        self._max_error = max(self._max_error, error)

    def _copy(self, item: Copied) -> bool:
        """Copies the records of a clip with its metadata of today. Returns False if they are missing or damaged."""
        found = self._older.read(item.stored)
        if found is None:
            return False
        plan, source = self._plan, self._part.clips[item.number].listed.source
        padded = valid_frames.may_pad(plan.config, plan.segments)
        for content, (_, _, seconds) in zip(found, item.stored.records, strict=True):
            clip = source
            if plan.segments is not None:
                clip = plan.segments.source(source, parse_id(records.clip_id(content))[1], plan.config)
            place = len(self._written)
            copied = records.rewritten(
                content, clip.metadata, plan.columns, records.Place(self._part.id, place), padded=padded
            )
            head = record_heads.head(copied)
            self._sums.add_record(copied, head.valid_frames)
            self._ordered.add(item.number, Record(copied, place, clip, head.n_frames, head.valid_frames, seconds))
        self._ordered.finish(item.number)
        self._digests[item.number] = bytes.fromhex(item.stored.digest) if item.stored.digest else None
        self._max_error = max(self._max_error, item.stored.max_error)
        return True

    def _write(self, number: int, record: Record) -> None:
        """Writes a record, with the number that it has in the shard."""
        content, place = record.content, len(self._written)
        if record.place != place:
            content, _ = records.moved(content, records.Place(self._part.id, place))
        with writing(self._plan.shard_path(self._part.shard)):
            offset = self._file.write(content)
        self._written.append((number, replace(record, content=b""), offset))
        self._sizes.append(len(content))
        self._seconds += record.seconds

    def _machine(self) -> dict[str, Any]:
        """Returns what the sidecar says about the machine that computed features, see `probed_machines`."""
        if not self._has_computed:
            return {"machine": None, "probe": None}
        return probed_machines.of_this_process(self._plan, self._transform)

    def _check_stopped(self) -> None:
        if stopping.is_stopped(self._plan.output):
            raise StoppedError("The job was stopped.")

    def _fail(self, clip: Clip, error: Exception, stage: str) -> None:
        is_expected = isinstance(error, AudioError)
        message = str(error) if is_expected else f"{type(error).__name__}: {error}"
        facts = {"stage": error.stage if isinstance(error, AudioError) else stage, "error": message}
        self._failures.append((clip.number, {**self._location(clip), **facts}))

    def _remark(self, clip: Clip, remark: Remark) -> None:
        facts = {"stage": remark.stage, "remark": remark.text, **remark.facts}
        self._remarks.append((clip.number, {**self._location(clip), **facts}))

    def _location(self, clip: Clip) -> dict[str, Any]:
        """Returns what failures and remarks say about a clip and its audio."""
        listed = self._part.clips[clip.number].listed
        recording = {} if clip.source.id == listed.source.id else {"recording": listed.source.id}
        return {"id": clip.source.id, **recording, **listed.location()}


def _in_order(found: list[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Returns failures or remarks in the order of their clips."""
    return [facts for _, facts in sorted(found, key=lambda item: item[0])]
