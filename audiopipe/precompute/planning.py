"""Draft of a plan: the input is listed, its size is estimated, and its clips are assigned to shards.

The clips are in a temporary file, not in memory. Nothing in the output folder changes before `Draft.write`.
"""

import contextlib
import hashlib
import tempfile
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import InputError
from audiopipe.feature_sets import dtypes
from audiopipe.inputs import InputOptions, ScanReport, Source, column_inference, listings
from audiopipe.inputs.listings import Listed
from audiopipe.inputs.scan_report import count_of
from audiopipe.precompute import estimate
from audiopipe.precompute.plan import FOLDER, HEADER, TABLE, Plan, Shard, read_clips, to_line
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

SHARDS = 64
MIN_SHARD = 1_000_000  # bytes
MAX_SHARD = 128_000_000
CLIPS_PER_FILE = 8192
SCATTERED = 2  # stretches are scattered if their recordings recur more often than this, on average


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
        return replace(self, plan=replace(self.plan, n_shards=plan.n_shards), counts=counts)

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
        places: dict[str, tuple[int, int, str, str]] = {}
        clips: list[bytes] = []
        for number, lines in shards:
            digest = hashlib.sha256(b"".join([settings, *lines])).hexdigest()
            shard_id = _shard_id(settings, number, lines)
            places[str(number)] = (len(clips), len(lines), digest, shard_id)
            here = slice(starts[number], starts[number] + len(lines))
            seconds, size = float(self.seconds[here].sum()), int(self.sizes[here].sum())
            table.append(
                Shard(
                    number=number,
                    id=shard_id,
                    file=file,
                    clips=len(lines),
                    seconds=seconds,
                    n_bytes=size,
                    digest=digest,
                )
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
    options: InputOptions | None = None,
    accept_truncated: bool = False,
    report: ScanReport | None = None,
) -> Iterator[Draft]:
    """Lists the input and assigns its clips to shards.

    Args:
        output: Folder of the feature set.
        config: Config of the feature.
        sources: Clips of the input.
        num_shards: Number of shards, at most one per recording. None makes each shard a 64th of the output, but at
            least 1 MB and at most 128 MB. Neighbouring stretches of one recording stay in one shard, so that it is
            decoded once. If stretches are scattered over the input, None makes shards of 128 MB, because every shard
            decodes the recordings again.
        segments: How recordings are cut into segments. None keeps them whole.
        dtype: Dtype in which features are stored.
        options: Options that decided what `sources` has. None are the defaults.
        accept_truncated: Whether truncated recordings are read as far as they go.
        report: What the scan of the input noticed. It is complete once `sources` has ended.

    Yields:
        The draft. Its temporary file is deleted when the context ends.

    Raises:
        InputError: If the input has no clips, a metadata column has no single type, or a class column is unknown or has
            no text.
        ArgumentError: If segments are shorter than one frame.
    """
    if segments is not None:
        segments.sizes(config)
    options = options or InputOptions()
    itemsize = dtypes.DTYPES[dtype].itemsize
    digest, count = hashlib.sha256(), 0
    groups = array("q")  # numbers of clips whose records stay in one shard
    cut = array("q")  # hash of the recording of each group of stretches
    with tempfile.TemporaryFile(prefix="audiopipe-") as clips:

        def written() -> Iterator[Source]:
            nonlocal count
            previous = None
            for clip in listings.identify(sources):
                recording = clip.source.recording() if clip.source.is_stretch else None
                if recording is not None and recording == previous:
                    groups[-1] += 1
                else:
                    groups.append(1)
                    if recording is not None:
                        cut.append(hash(recording))
                previous = recording
                line = clip.to_json()
                digest.update(line)
                clips.write(line)
                count += 1
                yield clip.source

        def listed() -> Iterator[Listed]:
            clips.seek(0)
            return map(Listed.from_json, clips)

        columns = column_inference.of_sources(written(), options.class_columns)
        if count == 0:
            raise InputError("The input must contain at least one clip. Received: no clips.")
        if segments is not None:
            columns = segments.columns(columns, stretches=len(cut) > 0)
        lengths = estimate.Lengths.of(listed, count)
        seconds = np.array(array("d", (lengths.seconds(clip) for clip in listed())))
        sizes = np.array(array("d", (estimate.record_bytes(item, config, segments, itemsize) for item in seconds)))
        group_sizes = np.array(groups, np.int64)
        starts = np.cumsum(group_sizes) - group_sizes
        n_cut = len(np.unique(np.array(cut, np.int64)))
        scattered = len(cut) > SCATTERED * n_cut
        n_shards = min(len(groups), num_shards or number_of_shards(sizes.sum(), SHARDS if not scattered else 1))
        notes = [*(report.lines() if report else ()), *columns.notes]
        if scattered and n_shards > 1:
            notes.append(
                f"The stretches of {count_of(n_cut, 'recording')} are scattered over the input, so every shard "
                "decodes them again. Sort the rows by recording to save time."
            )
        counts = counts_of_equal_sizes(np.add.reduceat(sizes, starts), n_shards)  # of groups
        ends = np.append(starts, count)[np.cumsum(counts)]
        plan = Plan(
            output=output,
            config=config,
            n_clips=count,
            n_shards=n_shards,
            schema=columns.types,
            classes=columns.classes,
            fill_values=columns.fill_values,
            input_digest=digest.hexdigest(),
            exact=lengths.exact,
            headers=lengths.headers,
            seconds=float(seconds.sum()),
            n_bytes=int(sizes.sum()),
            segments=segments,
            dtype=dtype,
            options=options,
            accept_truncated=accept_truncated,
            left_out=report.left_out.total() if report else 0,
            notes=notes,
        )
        yield Draft(plan, clips, np.diff(ends, prepend=0), seconds, sizes)


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


def number_of_shards(size: float, wanted: int = SHARDS) -> int:
    """Returns the number of shards for records of `size` bytes in total.

    It is `wanted`, unless the shards were smaller than `MIN_SHARD` or larger than `MAX_SHARD`.
    """
    shard = min(max(size / wanted, MIN_SHARD), MAX_SHARD)
    return max(1, int(np.ceil(size / shard)))


def _shard_id(settings: bytes, number: int, lines: Iterable[bytes]) -> str:
    """Returns an id derived from what a shard will contain, 16 hexadecimal digits. Copies of an input give equal ids.

    Args:
        settings: The settings of the plan, as in `Plan.settings`.
        number: Number of the shard.
        lines: The clips of the shard, as lines of JSON.
    """
    digest = hashlib.sha256(settings + to_line(number))
    for line in lines:
        digest.update(_name(Listed.from_json(line)))
    return digest.hexdigest()[:16]


def _name(clip: Listed) -> bytes:
    """Returns bytes that identify a clip and its metadata, wherever the input is stored."""
    source = clip.source
    stretch = [source.start, source.end] if source.is_stretch else []
    return to_line([source.id, source.path.split("/")[-2:], source.row, clip.size, source.metadata, *stretch])


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
            return f"the clip {was.source.id!r} has another path, stretch or other metadata now"
        if was.source.id not in but:
            return f"the clip {was.source.id!r} was modified ({was.size} bytes then, {is_now.size} now)"
    if plan.n_clips != draft.plan.n_clips:
        return f"it had {plan.n_clips} clips then and has {draft.plan.n_clips} now"
    return None
