"""Statistics of the clips of a view, from the sums of whole shards and from the features of the other clips."""

import contextlib
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from audiopipe.configs.standardization import Standardization
from audiopipe.errors import ArgumentError, CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import clip_sums
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.joined_sets import JoinedSets
from audiopipe.feature_sets.records import Record
from audiopipe.feature_sets.shard_parts import ShardPart
from audiopipe.feature_sets.stored_set import StoredSet
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.signal.feature_sums import FeatureSums
from audiopipe.signal.statistics import Statistics
from audiopipe.storage import files, user_cache
from audiopipe.wording import count_of

LAYOUT = 1  # of the cache: raised when the statistics of the same clips get other bits or another form
KIND = "statistics"
ROWS_AT_ONCE = 64
THREADS = 2  # one reads while another one sums
REMOTE_THREADS = 16  # because each request waits for an answer


def of_rows(
    sets: JoinedSets, rows: Rows, fingerprint: str, standardization: Standardization | None = None
) -> Statistics:
    """Returns the statistics of some clips. They do not depend on the order of the clips.

    The sums of a shard whose clips are all used, each as often, are taken from its feature set, if it has them. Other
    clips are read, a few at a time, and the result is kept in the user's cache.

    Args:
        sets: The feature sets.
        rows: Numbers of the clips, in any order. A repeated clip counts as often as it is there.
        fingerprint: Fingerprint of the features as they are read.
        standardization: What is applied to features when they are read. The clips are then read, all of them.

    Raises:
        FeatureSetError: If the clips have no frames.
        CorruptFeatureSetError: If a file is missing or damaged, or a value is not finite.
        ArgumentError: If the environment variable `AUDIOPIPE_CACHE` is no local folder.
    """
    total = clip_sums.empty(sets.descriptions[0].config)
    parts = list(sets.shard_parts(rows))
    others = _add_stored(total, parts) if standardization is None else parts
    if others:
        total.merge(_of_parts(others, fingerprint, standardization))
    if not total.count:
        paths = ", ".join(repr(one.path) for one in sets.descriptions)
        received = f"{count_of(len(rows), 'clip')} without frames" if len(rows) else "no clips"
        raise FeatureSetError(
            f"Statistics need at least one frame that holds audio. Received: {received} of {paths}. Check the "
            "conditions that choose the clips."
        )
    return total.statistics(fingerprint)


def _add_stored(total: FeatureSums, parts: Iterable[ShardPart]) -> list[ShardPart]:
    """Adds the sums that feature sets have of their shards. Returns the parts of which they have none."""
    by_set: dict[StoredSet, list[ShardPart]] = defaultdict(list)
    for part in parts:
        by_set[part.stored].append(part)
    others: list[ShardPart] = []
    for stored, found in by_set.items():
        if not any(part.times for part in found):
            others += found
            continue
        with ShardSums.opened(stored.description) as sums:
            if sums is None:
                others += found
            elif len(found) == len(stored.description.shards) and (times := _common_times(found)) is not None:
                total.merge(sums.total(), times)
            else:
                for part in found:
                    if part.times is None:
                        others.append(part)
                    else:
                        total.merge(sums.of_shard(part.shard), part.times)
    return others


def _common_times(parts: Sequence[ShardPart]) -> int | None:
    """Returns how often each clip of whole shards is used. None if not all are used, or not all as often."""
    first = parts[0].times
    return first if all(part.times == first for part in parts) else None


def _of_parts(parts: Sequence[ShardPart], fingerprint: str, standardization: Standardization | None) -> FeatureSums:
    """Returns the sums of clips, from the cache if it has them."""
    description = parts[0].stored.description
    digest = hashlib.sha256(f"{LAYOUT} {fingerprint} {description.dtype} ".encode())
    for part in sorted(part.digest for part in parts):  # contents count, not names and places
        digest.update(part)
    key = digest.hexdigest()
    shape = clip_sums.empty(description.config).shape
    content = user_cache.read(KIND, key)
    if content is not None:
        with contextlib.suppress(ValueError):  # that of a program that wrote something else
            kept = FeatureSums.from_dict(json.loads(content))
            if kept.shape == shape:
                return kept
    sums = _computed(parts, shape, standardization)
    user_cache.write(KIND, key, json.dumps(sums.to_dict()).encode())
    return sums


def _computed(
    parts: Sequence[ShardPart], shape: tuple[int, int], standardization: Standardization | None
) -> FeatureSums:
    """Reads clips in several threads and returns their sums."""
    blocks, lock, stopped = _blocks(parts), threading.Lock(), threading.Event()

    def summed() -> FeatureSums:
        by_times: dict[int, FeatureSums] = {}
        while not stopped.is_set():
            with lock:
                block = next(blocks, None)
            if block is None:
                break
            stored, rows, repeats = block
            for record, times in zip(stored.read_records(rows), repeats.tolist(), strict=True):
                if stopped.is_set():
                    break
                _add(by_times.setdefault(times, FeatureSums(shape)), record, stored.description, standardization)
        total = FeatureSums(shape)
        for times, sums in by_times.items():
            total.merge(sums, times)
        return total

    is_remote = any(files.is_remote(part.stored.description.path) for part in parts)
    threads = REMOTE_THREADS if is_remote else THREADS
    total = FeatureSums(shape)
    with ThreadPoolExecutor(threads, "audiopipe-statistics") as pool:
        try:
            for sums in [pool.submit(summed) for _ in range(threads)]:
                total.merge(sums.result())
        finally:
            stopped.set()  # after an error or Ctrl-C, the other threads end with the clip that they read
    return total


def _blocks(parts: Sequence[ShardPart]) -> Iterator[tuple[StoredSet, Rows, np.ndarray]]:
    """Yields a few clips at a time, and how often each of them is used."""
    for part in parts:
        for start in range(0, len(part.rows), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            rows = part.rows[block]
            yield part.stored, rows, np.ones(len(rows), int) if part.repeats is None else part.repeats[block]


def _add(sums: FeatureSums, record: Record, description: Description, standardization: Standardization | None) -> None:
    feature, config = record.feature, description.config
    if standardization is not None:
        feature = standardization.apply(feature, config)
    n_valid = record.n_frames if record.valid_frames is None else min(record.valid_frames, record.n_frames)
    try:
        sums.add_parts(clip_sums.frames_of(feature, config, n_valid, "float32"))
    except ArgumentError as error:
        raise CorruptFeatureSetError(
            f"The clip {record.id!r} in {description.path!r} has no statistics. {error} Compute its feature again."
        ) from error
