"""Draft of a plan: the input is listed, its size is estimated, and its clips are assigned to shards.

The clips are in a temporary file, not in memory. Nothing in the output folder changes before `Draft.write`.
"""

import contextlib
import hashlib
import tempfile
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import InputError
from audiopipe.feature_sets import dtypes
from audiopipe.inputs import Source, column_inference, listings
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import estimate
from audiopipe.precompute.plan import FOLDER, HEADER, TABLE, Plan, Shard, read_clips, to_line
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

SHARDS = 64
MIN_SHARD = 1_000_000  # bytes
MAX_SHARD = 128_000_000
CLIPS_PER_FILE = 8192


@dataclass(frozen=True)
class Draft:
    """A plan that is not written yet.

    Args:
        plan: The plan.
        clips: File with one line per clip.
        counts: Number of clips in each shard.
        seconds: Estimated length of each clip in seconds.
        sizes: Estimated size of the records of each clip in bytes.
    """

    plan: Plan
    clips: IO[bytes]
    counts: np.ndarray
    seconds: np.ndarray
    sizes: np.ndarray

    def lines(self) -> Iterator[bytes]:
        """Yields the clips as lines of JSON."""
        self.clips.seek(0)
        for line in self.clips:  # noqa: UP028 ("yield from" would close the file when the iteration ends early)
            yield line

    def with_shards_of(self, plan: Plan) -> "Draft":
        """Returns a draft of the same clips with the shards of another plan, which has as many clips."""
        counts = np.array([shard.clips for shard in plan.shards()])
        return replace(self, plan=replace(self.plan, n_shards=plan.n_shards, set_id=plan.set_id), counts=counts)

    def write(self) -> Plan:
        """Writes the plan to its folder and returns it. `plan.json` is written last."""
        files.make_folder(files.join(self.plan.output, FOLDER))
        table: list[Shard] = []
        starts = np.cumsum(self.counts) - self.counts
        settings = self.plan.settings()  # long if there are many classes
        for file, shards in enumerate(self._files()):
            self._write_clips(file, shards, starts, settings, table)
        lines = b"".join(
            to_line({name: getattr(shard, name) for name in Shard.__slots__ if name != "number"}) for shard in table
        )
        files.write_bytes(self.plan.path(TABLE), lines)
        files.write_bytes(self.plan.path(HEADER), to_line(self.plan.header()))
        return self.plan

    def _files(self) -> Iterator[list[tuple[int, list[bytes]]]]:
        """Yields the shards of each clips file, with the lines of their clips."""
        lines, held, size = self.lines(), [], 0
        for shard, count in enumerate(self.counts):
            held.append((shard, [next(lines) for _ in range(count)]))
            size += count
            if size >= CLIPS_PER_FILE:
                yield held
                held, size = [], 0
        if held:
            yield held

    def _write_clips(
        self,
        file: int,
        shards: list[tuple[int, list[bytes]]],
        starts: np.ndarray,
        settings: bytes,
        table: list[Shard],
    ) -> None:
        places: dict[str, tuple[int, int, str]] = {}
        clips: list[bytes] = []
        for number, lines in shards:
            digest = hashlib.sha256(b"".join([settings, *lines])).hexdigest()
            places[str(number)] = (len(clips), len(lines), digest)
            here = slice(starts[number], starts[number] + len(lines))
            seconds, size = float(self.seconds[here].sum()), int(self.sizes[here].sum())
            table.append(
                Shard(number=number, file=file, clips=len(lines), seconds=seconds, n_bytes=size, digest=digest)
            )
            clips += lines
        files.write_bytes(self.plan.clips_file(file), to_line(places) + b"".join(clips))


@contextlib.contextmanager
def draft(
    output: str,
    config: Config,
    sources: Iterable[Source],
    *,
    num_shards: int | None = None,
    segments: Segments | None = None,
    dtype: str = "float32",
    class_columns: Sequence[str] = (),
) -> Iterator[Draft]:
    """Lists the input and assigns its clips to shards.

    Args:
        output: Folder of the feature set.
        config: Config of the feature.
        sources: Clips of the input.
        num_shards: Number of shards, at most one per clip. None makes each shard a 64th of the output, but at least
            1 MB and at most 128 MB.
        segments: How recordings are cut into segments. None keeps them whole.
        dtype: Dtype in which features are stored.
        class_columns: Metadata columns of text that become classes, see
            `audiopipe.inputs.column_inference.of_sources`.

    Yields:
        The draft. Its temporary file is deleted when the context ends.

    Raises:
        InputError: If the input has no clips, a metadata column has no single type, or a class column is unknown or has
            no text.
        ArgumentError: If segments are shorter than one frame.
    """
    if segments is not None:
        segments.sizes(config)
    itemsize = dtypes.DTYPES[dtype].itemsize
    digest, names, count = hashlib.sha256(), hashlib.sha256(), 0
    with tempfile.TemporaryFile(prefix="audiopipe-") as clips:

        def written() -> Iterator[Source]:
            nonlocal count
            for clip in listings.identify(sources):
                line = clip.to_json()
                digest.update(line)
                names.update(_name(clip))
                clips.write(line)
                count += 1
                yield clip.source

        def listed() -> Iterator[Listed]:
            clips.seek(0)
            return map(Listed.from_json, clips)

        columns = column_inference.of_sources(written(), class_columns)
        if count == 0:
            raise InputError("The input must contain at least one clip. Received: no clips.")
        lengths = estimate.Lengths.of(listed, count)
        seconds = np.array(array("d", (lengths.seconds(clip) for clip in listed())))
        sizes = np.array(array("d", (estimate.record_bytes(item, config, segments, itemsize) for item in seconds)))
        n_shards = min(count, num_shards or number_of_shards(sizes.sum()))
        plan = Plan(
            output=output,
            config=config,
            n_clips=count,
            n_shards=n_shards,
            schema=columns.types if segments is None else segments.schema(columns.types),
            classes=columns.classes,
            fill_values=columns.fill_values,
            set_id=names.hexdigest()[:16],
            input_digest=digest.hexdigest(),
            exact=lengths.exact,
            headers=lengths.headers,
            seconds=float(seconds.sum()),
            n_bytes=int(sizes.sum()),
            segments=segments,
            dtype=dtype,
        )
        yield Draft(plan, clips, counts_of_equal_sizes(sizes, n_shards), seconds, sizes)


def counts_of_equal_sizes(sizes: np.ndarray, n_shards: int) -> np.ndarray:
    """Returns the number of clips in each shard.

    Neighbouring clips stay together, no shard is empty, and the sizes of the shards are as equal as possible.

    Args:
        sizes: Size of each clip.
        n_shards: Number of shards, at most one per clip.

    Example:
        >>> counts_of_equal_sizes(np.array([1.0, 1.0, 1.0, 1.0, 4.0]), 2).tolist()
        [4, 1]
    """
    ends = np.cumsum(np.maximum(sizes, 1e-9))
    numbers = np.arange(1, n_shards)
    # A clip goes into the shard that contains its middle.
    bounds = np.searchsorted(ends - np.diff(ends, prepend=0) / 2, ends[-1] * numbers / n_shards)
    bounds = np.maximum.accumulate(np.maximum(bounds, numbers) - numbers) + numbers  # at least one clip in each
    bounds = np.minimum(bounds, len(sizes) - n_shards + numbers)
    return np.diff(bounds, prepend=0, append=len(sizes))


def number_of_shards(size: float) -> int:
    """Returns the number of shards for records of `size` bytes in total."""
    shard = min(max(size / SHARDS, MIN_SHARD), MAX_SHARD)
    return max(1, int(np.ceil(size / shard)))


def _name(clip: Listed) -> bytes:
    """Returns bytes that identify a clip, wherever the input is stored. Copies of an input give equal bytes."""
    return to_line([clip.source.id, clip.source.path.split("/")[-2:], clip.source.row, clip.size])


def changed_clip(plan: Plan, draft: Draft, but: Collection[str] = ()) -> str | None:
    """Describes the first difference between the clips of a plan and those of a draft.

    Args:
        plan: The plan.
        draft: The draft.
        but: Ids of clips that may have been modified.

    Returns:
        Text for an error message, or None if the clips are the same.
    """
    if plan.input_digest == draft.plan.input_digest:
        return None
    for before, now in zip(read_clips(plan), draft.lines(), strict=False):
        if before == now:
            continue
        was, is_now = Listed.from_json(before), Listed.from_json(now)
        if was.source.id != is_now.source.id:
            return f"the clip {is_now.source.id!r} is now in the place of {was.source.id!r}"
        if was.source != is_now.source:
            return f"the clip {was.source.id!r} has another path or other metadata now"
        if was.source.id not in but:
            return f"the clip {was.source.id!r} was modified ({was.size} bytes then, {is_now.size} now)"
    if plan.n_clips != draft.plan.n_clips:
        return f"it had {plan.n_clips} clips then and has {draft.plan.n_clips} now"
    return None
