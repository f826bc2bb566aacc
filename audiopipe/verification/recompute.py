"""Recomputation of stored features through each door, in memory that does not grow with the recordings.

The stored feature gives the length of each clip. Clips that the precompute job computes in blocks are computed in
blocks here too. The other clips are computed in batches of a few minutes of audio at most.
"""

import contextlib
import dataclasses
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf

from audiopipe.audio import joined
from audiopipe.errors import AudioError, MissingDependencyError
from audiopipe.inputs import Source
from audiopipe.storage import files
from audiopipe.tfdata import clips
from audiopipe.transform import recordings
from audiopipe.transform.row_features import LONG_SECONDS
from audiopipe.transform.segments import Segments, parse_id
from audiopipe.transform.transform import Transform

PADDED_BATCH_SIZE = 17  # odd and not a power of two, so that clips occur at every position of a batch
ROWS_AT_ONCE = 64
SECONDS_AT_ONCE = 600


class Clips:
    """Clips to recompute: recordings or segments of recordings.

    Args:
        sources: Recordings by id.
        frames: Number of frames of each clip's stored feature, by clip id, in the order of the clips.
        segments: How recordings were cut into clips. None if every clip is a whole recording.
        transform: Transform that computes the features.
    """

    def __init__(
        self, sources: Mapping[str, Source], frames: Mapping[str, int], segments: Segments | None, transform: Transform
    ):
        self.frames = frames
        self.transform = transform
        self._sources = sources
        self._segments = segments
        self._limit = transform.config.n_frames(LONG_SECONDS * transform.config.sample_rate)
        self._budget = transform.config.n_frames(SECONDS_AT_ONCE * transform.config.sample_rate)

    def is_long(self, clip_id: str) -> bool:
        """Returns whether a clip is computed in blocks."""
        return self.frames[clip_id] > self._limit

    def short(self) -> list[str]:
        """Returns the ids of the clips that can be batched."""
        return [clip_id for clip_id in self.frames if not self.is_long(clip_id)]

    def dataset(self) -> tf.data.Dataset:
        """Returns the short clips as the door `tfdata` reads them."""
        only = self._wanted(self.short())
        return clips.from_sources(self._recordings(only), self.transform, segments=self._segments, only=only)

    def long(self) -> Iterator[Iterator[np.ndarray] | np.ndarray]:
        """Yields the blocks or the samples of each long clip, in order."""
        wanted = self._wanted(clip_id for clip_id in self.frames if self.is_long(clip_id))
        for source, blocks in recordings.read(self._recordings(wanted), self.transform):
            if self._segments is None:
                yield blocks
            else:
                cut = self._segments.clips(source, blocks, self.transform.config, wanted[source.id])
                yield from (samples for _, samples, _ in cut)

    def encoded(self) -> Iterator[str | bytes]:
        """Yields each clip as a row of `datasets` contains it: a path, or the bytes of an audio file."""
        wanted = self._wanted(self.frames)
        for source, blocks in recordings.read(self._recordings(wanted), self.transform):
            if self._segments is not None:
                cut = self._segments.clips(source, blocks, self.transform.config, wanted[source.id])
                yield from (self._as_wav(samples) for _, samples, _ in cut)
            elif source.is_stretch:
                yield self._as_wav(joined(blocks))
            else:
                opened = source.open()
                yield opened if isinstance(opened, bytes) or _is_text(opened) else _content(opened)

    def _as_wav(self, samples: np.ndarray) -> bytes:
        """Returns a WAV file from which the config reads these samples."""
        config, file = self.transform.config, io.BytesIO()
        if config.channel is not None:
            samples = np.repeat(samples, config.channel + 1, axis=1)
        soundfile.write(file, samples, config.sample_rate, format="WAV", subtype="FLOAT")
        return file.getvalue()

    def groups(self, clip_ids: Iterable[str], size: int) -> list[int]:
        """Splits consecutive clips into groups and returns the sizes of the groups.

        A group has at most `size` clips. Padded to its longest clip, it has at most `SECONDS_AT_ONCE` seconds, unless
        it is a single clip.
        """
        sizes: list[int] = []
        longest = 0
        for clip_id in clip_ids:
            longest = max(longest, self.frames[clip_id])
            if sizes and sizes[-1] < size and (sizes[-1] + 1) * longest <= self._budget:
                sizes[-1] += 1
            else:
                sizes.append(1)
                longest = self.frames[clip_id]
        return sizes

    def _wanted(self, clip_ids: Iterable[str]) -> dict[str, set[int]]:
        """Returns the ids of the recordings, in order, and the wanted segment numbers of each."""
        wanted: dict[str, set[int]] = {}
        for clip_id in clip_ids:
            name, number = (clip_id, 0) if self._segments is None else parse_id(clip_id)
            wanted.setdefault(name, set()).add(number)
        return wanted

    def _recordings(self, names: Iterable[str]) -> list[Source]:
        """Returns recordings without their metadata, which features do not depend on."""
        return [dataclasses.replace(self._sources[name], metadata={}) for name in names]


def _is_text(path: str) -> bool:
    """Returns whether a column of strings can hold a path. On Linux, a file name need not be valid UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _content(path: str) -> bytes:
    try:
        return files.read_bytes(path)
    except OSError as error:
        raise AudioError(f"Could not read {path!r}: {error.strerror or error}.", stage="read") from error


def by_clip(clips: Clips) -> Iterator[tuple[str, np.ndarray]]:
    """Computes the clips one by one: short ones through `tf.data`, long ones in blocks."""
    transform = clips.transform
    short, long = iter(clips.dataset().map(transform)) if clips.short() else iter(()), clips.long()
    for clip_id in clips.frames:
        if clips.is_long(clip_id):
            yield clip_id, transform.compute(next(long))
        else:
            yield clip_id, next(short)[transform.feature].numpy()


def by_batch(clips: Clips) -> Iterator[tuple[str, np.ndarray]]:
    """Computes the short clips through `tf.data` in padded batches."""
    transform, names = clips.transform, clips.short()
    if not names:
        return
    frame_axis = transform.config.frame_axis
    # With channels=None, clips may have different numbers of channels, which a batch cannot hold.
    sizes = clips.groups(names, 1 if transform.config.channels is None else PADDED_BATCH_SIZE)
    numbers = tf.data.Dataset.from_tensor_slices(np.repeat(np.arange(len(sizes)), sizes))
    batches = tf.data.Dataset.zip(numbers, clips.dataset()).group_by_window(
        key_func=lambda number, _: number,
        reduce_func=lambda _, window: window.map(lambda _, clip: clip).padded_batch(PADDED_BATCH_SIZE),
        window_size_func=lambda number: tf.gather(tf.constant(sizes, tf.int64), number),
    )
    waiting = iter(names)
    for batch in batches.map(transform):
        for feature, n_frames in zip(batch[transform.feature].numpy(), batch["n_frames"].numpy(), strict=True):
            yield next(waiting), np.take(feature, range(n_frames), axis=frame_axis)


def by_row(clips: Clips) -> Iterator[tuple[str, np.ndarray]]:
    """Computes all clips through `datasets`."""
    try:
        import datasets

        from audiopipe import hf
    except ImportError as error:
        raise MissingDependencyError(
            'The door hf needs the package datasets, which is not installed: pip install "audiopipe[hf]", or verify '
            "with --door tfdata."
        ) from error
    transform = clips.transform
    channel_axis = transform.config.channel_axis
    encoded = datasets.Features(
        {transform.audio: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    opened, waiting = clips.encoded(), iter(clips.frames)
    for size in clips.groups(clips.frames, ROWS_AT_ONCE):
        audio = list(itertools.islice(opened, size))
        values = [{"bytes": value, "path": None} if isinstance(value, bytes) else {"path": value} for value in audio]
        rows = datasets.Dataset.from_dict({transform.audio: values}, features=encoded)
        with _no_progress_bars(datasets.utils):
            mapped = hf.map(rows, transform, keep_in_memory=True).with_format("numpy")
        for row in mapped:
            feature = np.asarray(row[transform.feature], np.float32)
            yield next(waiting), np.expand_dims(feature, channel_axis) if feature.ndim == 2 else feature


DOORS: dict[str, dict[str, Callable[[Clips], Iterator[tuple[str, np.ndarray]]]]] = {
    "tfdata": {"tf.data": by_clip, "tf.data, padded": by_batch},
    "hf": {"datasets": by_row},
    "both": {"tf.data": by_clip, "tf.data, padded": by_batch, "datasets": by_row},
}


@contextlib.contextmanager
def _no_progress_bars(settings: Any) -> Iterator[None]:
    disabled = settings.are_progress_bars_disabled()
    settings.disable_progress_bars()
    try:
        yield
    finally:
        if not disabled:
            settings.enable_progress_bars()
