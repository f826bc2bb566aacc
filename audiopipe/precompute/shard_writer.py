"""Writers of shards: they read the clips, compute their features and store them.

Threads read clips ahead, across the ends of shards, see `audiopipe.transform.clip_reader`. The features are computed in
groups, and another thread encodes and writes them. A process with a single thread for TensorFlow, such as a worker of a
job, does all of this one after the other.
"""

import contextlib
import functools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from audiopipe.configs.base import Config
from audiopipe.errors import OutputError, StoppedError
from audiopipe.feature_sets import file_names, index, tfrecords
from audiopipe.precompute import finished_shards, planned_clips, shard_reader
from audiopipe.precompute.planned_clips import Part
from audiopipe.precompute.shard_records import ShardRecords
from audiopipe.precompute.writing import writing
from audiopipe.runtime import stopping, threads
from audiopipe.runtime.beside import Beside
from audiopipe.runtime.read_ahead import Unit, Waiting
from audiopipe.storage import files
from audiopipe.transform import clip_reader
from audiopipe.transform.clip_items import Computed
from audiopipe.transform.kernel import GROUP
from audiopipe.transform.transform import Transform

WAITING_CLIPS = 2 * GROUP  # that were computed, and are not written yet
VALUES = 1 << 24  # of their features: 64 MB


def write_shard(clips_file: str, shard: int) -> dict[str, Any]:
    """Computes and writes one shard and then its sidecar. Does nothing if the shard is finished.

    A clip that fails is added to the failures and does not affect other clips. Each attempt writes to a temporary file
    of its own and publishes it whole. Attempts that run at the same time, are repeated or are killed therefore never
    leave a partial shard, and all of them write the same bytes.

    Args:
        clips_file: Path of the clips file that contains the shard's clips.
        shard: Number of the shard.

    Returns:
        The sidecar: name, id, number of records, bytes and SHA-256 of the shard, the sums of its features, its failures
        and seconds of audio.

    Raises:
        OutputError: If the shard cannot be written.
        StoppedError: If `audiopipe.runtime.stopping.stop` was called for the folder.
    """
    [sidecar] = write_shards([(clips_file, shard)])
    return sidecar


def write_shards(elements: Iterable[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Computes and writes shards of one plan, one after the other, with all threads of this process.

    Clips of the next shards are read while one is written, so small shards are as fast as large ones. Besides the
    clips that `audiopipe.transform.clip_reader` holds, at most `WAITING_CLIPS` features with `VALUES` values in all
    wait to be written. While a larger feature is written, nothing is computed.

    Args:
        elements: The path of the clips file and the number of each shard, as for `write_shard`. They are requested
            before the sidecars of earlier shards are yielded.

    Yields:
        The sidecar of each shard, in order, once it is published. Closing the iterator leaves the other shards
        unfinished.

    Raises:
        OutputError: As in `write_shard`.
        StoppedError: As in `write_shard`.
    """
    remaining = iter(elements)
    first = next(remaining, None)
    if first is None:
        return
    plan = planned_clips.plan_of(first[0])
    transform = _transform(plan.config, plan.accept_truncated)
    with contextlib.closing(_Shards(transform)) as shards, contextlib.ExitStack() as opened:
        add = shards.add
        if threads.available() > 1:
            add = opened.enter_context(Beside(shards.add, _weight, most=VALUES)).add
        read = opened.enter_context(contextlib.closing(clip_reader.ahead(_units(chain([first], remaining), transform))))
        for item in opened.enter_context(contextlib.closing(transform.computed(read))):
            if stopping.is_stopped(plan.output):
                raise StoppedError("The job was stopped.")
            add(item)
            del item  # the next one may take a while to come
            while shards.finished:
                yield shards.finished.popleft()
    yield from shards.finished


def _weight(item: Any) -> int:
    """Returns the number of values of a feature. It counts as so many that at most `WAITING_CLIPS` wait."""
    if isinstance(item, Computed) and isinstance(item.feature, np.ndarray):
        return max(item.feature.size, VALUES // WAITING_CLIPS)
    return 0


@dataclass(frozen=True, slots=True)
class _Start:
    """Start of a shard."""

    part: Part


@dataclass(frozen=True, slots=True)
class _End:
    """End of a shard."""


@dataclass(frozen=True, slots=True)
class _Written:
    """Shard that was finished before."""

    sidecar: dict[str, Any]


def _units(elements: Iterable[tuple[str, int]], transform: Transform) -> Iterator[Unit[Any]]:
    """Yields the units of all shards."""
    for clips_file, shard in elements:
        part = planned_clips.of_shard(clips_file, shard)
        done = finished_shards.find(part.plan, shard, part.digest)
        if done is not None:
            yield Unit([_Written(done)], ahead=False)
            continue
        yield Unit([_Start(part)], ahead=False)
        yield from shard_reader.units(part, transform)
        yield Unit([_End()], ahead=False)


class _Shards:
    """Shards that are written one after the other.

    Attributes:
        finished: Sidecars of published shards.
    """

    def __init__(self, transform: Transform):
        self._transform = transform
        self._current: _Shard | None = None
        self.finished: deque[dict[str, Any]] = deque()

    def add(self, item: Any) -> None:
        """Adds the next item: one of this module, or one of the current shard."""
        if isinstance(item, Waiting):
            return
        if isinstance(item, _Written):
            self.finished.append(item.sidecar)
        elif isinstance(item, _Start):
            self._current = _Shard(item.part, self._transform)
        else:
            assert self._current is not None
            if isinstance(item, _End):
                self.finished.append(self._current.publish())
                self._current = None
            else:
                self._current.records.add(item)

    def close(self) -> None:
        """Removes what there is of an unfinished shard."""
        if self._current is not None:
            self._current.close()


class _Shard:
    """Shard that is being written."""

    def __init__(self, part: Part, transform: Transform):
        self._part = part
        path = part.plan.shard_path(part.shard)
        with contextlib.ExitStack() as opened:
            opened.enter_context(writing(path))
            temporary = opened.enter_context(files.temporary_file(path))
            self._file = opened.enter_context(tfrecords.Writer(temporary))
            self.records = opened.enter_context(ShardRecords(part, transform, self._file))
            self._opened = opened.pop_all()

    def publish(self) -> dict[str, Any]:
        """Publishes the shard, then its rows of the index, and then its sidecar, which is returned."""
        self._opened.close()
        part, plan, rows = self._part, self._part.plan, self.records.rows()
        sidecar = {
            "shard": part.shard,
            "digest": part.digest,
            "id": part.id,
            **self._file.facts(file_names.shard_name(part.shard)),
            **self.records.facts(),
        }
        with writing(plan.shard_path(part.shard)):
            with files.temporary_file(plan.rows_file(part.shard)) as temporary:
                pq.write_table(index.table(rows, plan.columns), temporary, compression="zstd")
            finished_shards.publish(plan, sidecar)
        return sidecar

    def close(self) -> None:
        """Removes the file."""
        with contextlib.suppress(OutputError):  # another error is the reason
            # Closing without an error would publish it.
            self._opened.__exit__(StoppedError, StoppedError("The shard is not finished."), None)


@functools.lru_cache(maxsize=4)
def _transform(config: Config, accept_truncated: bool) -> Transform:
    """Returns the transform of a config, compiled once per process for all shards."""
    return Transform(config, accept_truncated=accept_truncated)
