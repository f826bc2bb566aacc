"""Computation of the features of rows.

Rows are read in threads and computed in groups. Long recordings are computed on their own, from their
blocks.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from audiopipe.audio import Remark, joined
from audiopipe.configs import Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.runtime import threads
from audiopipe.transform import audio_values, ends, waveforms
from audiopipe.transform.kernel import GROUP, Kernel

LONG_SECONDS = 60  # longer clips are computed in blocks

Made: TypeAlias = tuple[np.ndarray, int] | tuple[np.ndarray, int, int]
"""Feature of a row and its number of frames; if the config pads clips, also the number of frames that hold audio."""


@dataclass(frozen=True, slots=True)
class WholeClip:
    """Clip that is in memory and has at least one frame.

    Args:
        samples: float32 `[time, channels]`.
    """

    samples: np.ndarray


@dataclass(frozen=True, slots=True)
class LongClip:
    """Feature of a long clip, which was computed on its own.

    Args:
        feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.
        n_samples: Number of samples of the clip.
    """

    feature: np.ndarray
    n_samples: int


def read_or_compute(blocks: Iterable[np.ndarray], kernel: Kernel) -> WholeClip | LongClip:
    """Joins the blocks of a clip, or computes its feature block by block if it is long.

    Args:
        blocks: Consecutive blocks of one clip, float32 `[time, channels]`.
        kernel: The kernel of the feature.

    Raises:
        AudioError: If the clip is shorter than one frame, or longer than the config allows.
    """
    config, blocks = kernel.config, iter(blocks)
    framing = config.framing
    limit = max(LONG_SECONDS * config.sample_rate, framing.win_length if framing else 0)
    held, n_samples = [], 0
    for block in blocks:
        held.append(block)
        n_samples += block.shape[0]
        ends.check_length(n_samples, config)
        if n_samples > limit:
            waveforms.check(block, None, config)
            counted = _Counted(itertools.chain(held, blocks), config)
            return LongClip(kernel.stream(counted).numpy(), counted.n_samples)
    if config.n_frames(n_samples) == 0:
        raise AudioError(
            f"The clip is shorter than one frame. Received: {n_samples} samples at {config.sample_rate} Hz. Use a "
            "longer clip, or a config with a shorter window or with padding at the ends of clips.",
            stage="feature",
        )
    return WholeClip(joined(held))


class _Counted:
    """Iterable over the blocks of a clip that counts their samples, and refuses a clip that is too long."""

    def __init__(self, blocks: Iterable[np.ndarray], config: Config):
        self._blocks = blocks
        self._config = config
        self.n_samples = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.n_samples += block.shape[0]
            ends.check_length(self.n_samples, self._config)
            yield block


def compute(
    values: Iterable[Any],
    kernel: Kernel,
    read_blocks: Callable[..., Iterator[np.ndarray]],
    on_remark: Callable[[int, Any, Remark], None],
) -> Iterator["Made | AudioError | ArgumentError"]:
    """Computes the features of rows. See `Transform.rows`.

    Args:
        values: The audio of each row.
        kernel: The kernel of the feature.
        read_blocks: Function that reads the audio of a row as consecutive blocks, float32 `[time, channels]`. It takes
            the audio and, by keyword, `on_remark` as in `audiopipe.audio.read_blocks`.
        on_remark: Function that receives the position of a row, its audio, and a remark about it, before the feature of
            the row is yielded. It is called in the thread of the caller, and not for rows that fail.
    """
    remaining = enumerate(values)

    def begin(numbered: tuple[int, Any]) -> tuple[WholeClip | LongClip | AudioError | ArgumentError, list[Remark]]:
        remarks: list[Remark] = []
        try:
            clip = read_or_compute(read_blocks(numbered[1], on_remark=remarks.append), kernel)
            if isinstance(clip, WholeClip):
                waveforms.check(clip.samples, None, kernel.config)
            cut = ends.cut(_n_samples(clip), kernel.config)
            return clip, remarks if cut is None else [*remarks, cut]
        except (AudioError, ArgumentError) as error:
            return error, []

    while group := list(itertools.islice(remaining, GROUP)):
        # If nothing has to be decoded, starting threads takes longer than reading.
        ready = all(audio_values.is_ready(value, kernel.config.sample_rate) for _, value in group)
        begun = list(map(begin, group)) if ready else threads.map_in_order(begin, group)
        features = iter(kernel.clips([clip.samples for clip, _ in begun if isinstance(clip, WholeClip)]))
        for (number, value), (clip, remarks) in zip(group, begun, strict=True):
            for remark in remarks:
                on_remark(number, value, remark)
            if isinstance(clip, WholeClip):
                yield _as_row(np.asarray(next(features)), _n_samples(clip), kernel.config)
            elif isinstance(clip, LongClip):
                yield _as_row(clip.feature, clip.n_samples, kernel.config)
            else:
                yield clip


def _n_samples(clip: WholeClip | LongClip) -> int:
    return len(clip.samples) if isinstance(clip, WholeClip) else clip.n_samples


def _as_row(feature: np.ndarray, n_samples: int, config: Config) -> Made:
    """Returns the feature without the axis of a single channel, as in a row, and its numbers of frames."""
    n_frames = feature.shape[config.frame_axis]
    if config.feature_channels == 1:
        feature = np.squeeze(feature, axis=config.channel_axis)
    return (feature, n_frames, int(config.valid_frames(n_samples))) if config.pads_clips else (feature, n_frames)
