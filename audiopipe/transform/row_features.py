"""Features of clips that come as blocks, and of rows.

Short clips are computed in groups, as a whole. Long ones are computed on their own, from their blocks.
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from audiopipe.audio import Remark, joined
from audiopipe.configs import Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.runtime.read_ahead import Unit
from audiopipe.transform import audio_values, clip_features, clip_reader, ends, waveforms
from audiopipe.transform.clip_items import Block, Computed, End, Failed, Long, Whole
from audiopipe.transform.kernel import Kernel

LONG_SECONDS = 60  # longer clips are computed in blocks

Made: TypeAlias = tuple[np.ndarray, int] | tuple[np.ndarray, int, int]
"""Feature of a row and its number of frames; if the config pads clips, also the number of frames that hold audio."""


def items(key: Any, blocks: Iterable[np.ndarray], config: Config) -> Iterator[Whole | Long | Block | End]:
    """Turns the blocks of a clip into items of a reader: the clip in memory, or its blocks if it is long.

    Args:
        key: What the caller knows the clip by.
        blocks: Consecutive blocks of one clip, float32 `[time, channels]`.
        config: Config of the feature.

    Raises:
        AudioError: If the clip is shorter than one frame, or longer than the config allows.
        ArgumentError: If the config does not accept the samples.
    """
    framing = config.framing
    limit = max(LONG_SECONDS * config.sample_rate, framing.win_length if framing else 0)
    held: list[np.ndarray] = []
    n_samples = 0
    is_long = False
    for block in blocks:
        n_samples += block.shape[0]
        ends.check_length(n_samples, config)
        held.append(block)
        if n_samples <= limit:
            continue
        if not is_long:
            is_long = True
            waveforms.check(block, None, config)
            yield Long(key)
        del block
        while held:
            yield Block(held.pop(0))
    if is_long:
        yield End()
        return
    if config.n_frames(n_samples) == 0:
        raise AudioError(
            f"The clip is shorter than one frame. Received: {n_samples} samples at {config.sample_rate} Hz. Use a "
            "longer clip, or a config with a shorter window or with padding at the ends of clips.",
            stage="feature",
        )
    samples = joined(held)
    waveforms.check(samples, None, config)
    yield Whole(key, samples)


@dataclass(slots=True, eq=False)
class _Row:
    """Row that is being read: its position, its audio, and what was noticed about it."""

    number: int
    value: Any
    remarks: list[Remark] = field(default_factory=list)


def compute(
    values: Iterable[Any],
    kernel: Kernel,
    read_blocks: Callable[..., Iterator[np.ndarray]],
    on_remark: Callable[[int, Any, Remark], None],
) -> Generator["Made | AudioError | ArgumentError", None, None]:
    """Computes the features of rows. See `Transform.rows`.

    Args:
        values: The audio of each row.
        kernel: The kernel of the feature.
        read_blocks: Function that reads the audio of a row as consecutive blocks, float32 `[time, channels]`. It takes
            the audio and, by keyword, `on_remark` as in `audiopipe.audio.read_blocks`.
        on_remark: Function that receives the position of a row, its audio, and a remark about it, before the feature of
            the row is yielded. It is called in the thread of the caller, and not for rows that fail.
    """
    config = kernel.config

    def read(row: _Row) -> Iterator[Any]:
        try:
            yield from items(row, read_blocks(row.value, on_remark=row.remarks.append), config)
        except Exception as error:
            yield Failed(row, error)

    # If nothing has to be decoded, handing the samples over takes longer than reading.
    units = (
        Unit(read(_Row(number, value)), ahead=not audio_values.is_ready(value, config.sample_rate))
        for number, value in enumerate(values)
    )
    # Closed even if a traceback keeps this frame, so that no thread is left at a later fork.
    with contextlib.closing(clip_reader.ahead(units)) as found:
        for item in clip_features.computed(found, kernel):
            if isinstance(item, Failed):
                yield _expected(item.error)
            elif isinstance(item, Computed):
                feature = item.feature
                if isinstance(feature, Exception):
                    yield _expected(feature)
                    continue
                row, cut = item.key, ends.cut(item.n_samples, config)
                for remark in row.remarks if cut is None else [*row.remarks, cut]:
                    on_remark(row.number, row.value, remark)
                yield _as_row(feature, item.n_samples, config)


def _expected(error: Exception) -> AudioError | ArgumentError:
    """Returns the error of a row, or raises it if it is no fault of the row."""
    if isinstance(error, (AudioError, ArgumentError)):
        return error
    raise error


def _as_row(feature: np.ndarray, n_samples: int, config: Config) -> Made:
    """Returns the feature without the axis of a single channel, as in a row, and its numbers of frames."""
    n_frames = feature.shape[config.frame_axis]
    if config.feature_channels == 1:
        feature = np.squeeze(feature, axis=config.channel_axis)
    return (feature, n_frames, int(config.valid_frames(n_samples))) if config.pads_clips else (feature, n_frames)
