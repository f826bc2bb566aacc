"""Computation of a feature while its audio comes in."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from audiopipe.errors import ArgumentError
from audiopipe.runtime import forks
from audiopipe.transform import block_cutting, waveforms
from audiopipe.transform.block_graphs import BlockedClip, BlockGraphs, FrameStage

if TYPE_CHECKING:
    from audiopipe.transform.transform import Transform

MAX_SAMPLES = 1 << 40  # more than any frame needs


class Stream:
    """Feature of one clip whose samples come in blocks. `Transform.stream` makes it.

    `push` returns each frame as soon as all its samples are there. The frames have the same bits as the feature of the
    whole clip, whatever the lengths of the blocks. A stream holds the samples of about one frame, so it can run for
    days.

    A stream can be pickled at any time, and continues in another process with the same bits. Only one thread at a time
    may call `push`.

    Args:
        transform: The transform.

    Raises:
        ArgumentError: If a step of the feature needs the whole clip. The message names it.
        ForkError: If this process was forked after TensorFlow had run.

    Example:
        >>> from audiopipe import Transform, configs
        >>> mel = Transform(configs.LogMel(n_fft=400, hop_length=160))
        >>> stream = mel.stream()
        >>> [len(stream.push(np.zeros(size, "float32"))) for size in (100, 1000, 1000)]
        [0, 6, 6]
        >>> stream.latency, stream.finish().shape, mel(np.zeros(2100, "float32")).shape
        (200, (2, 80, 1), (14, 80, 1))
    """

    def __init__(self, transform: Transform):
        forks.check()
        self._transform = transform
        graphs = self._graphs
        self._windows = [_Window() for _ in graphs.stages]
        self._clip = BlockedClip(graphs, least=1)
        self._no_frames: np.ndarray | None = None
        self._is_finished = False

    @property
    def latency(self) -> int:
        """Largest number of samples between the centre of a frame and the moment when `push` returns the frame.

        When this many samples have followed the centre of a frame's window, `push` has returned the frame. `finish`
        returns the last frames without waiting for more samples. If a row has several stacked frames, the centre of the
        row counts. The number does not include the lengths of the blocks.
        """
        graphs, config = self._graphs, self._transform.config
        framing = config.framing
        assert framing is not None

        def needed(row: int) -> int:
            frames = row + 1
            for stage in reversed(graphs.stages):
                frames = frames * stage.per_row + stage.later
            return bisect.bisect_left(
                range(MAX_SAMPLES), frames, key=lambda n_samples: block_cutting.certain_frames(framing, n_samples)
            )

        # The extension before the clip may delay the first frames. All others wait equally long.
        last = block_cutting.awaited_samples(framing) // framing.hop_length + 1
        centres = config.frame_centres(last + 1) * config.sample_rate
        return max(math.ceil(round(needed(row) - centres[row], 3)) for row in (0, last))

    def push(self, block: Any) -> np.ndarray:
        """Takes the next samples of the clip and returns the frames that are complete now.

        Args:
            block: Floating-point samples at the config's sample rate, `[time]` or `[time, channels]`, of any length,
                also none. All blocks have the same number of channels. They are mixed or picked as in the transform.

        Returns:
            float32 `[frames, bins, channels]`, or `[channels, frames, bins]` if the config says `channels_first`. There
            may be no frames.

        Raises:
            ArgumentError: If the samples are integers or have a wrong shape, or if the stream was finished.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        self._check_open()
        samples = self._samples(block)
        return self._advance(list(self._clip.push(samples, self._graphs)))

    def finish(self) -> np.ndarray:
        """Returns the last frames of the clip. The stream cannot be used afterwards.

        Returns:
            As `push`.

        Raises:
            ArgumentError: If the stream was finished before.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        self._check_open()
        frames: list[np.ndarray] = []
        if self._clip.channels is None:
            frames += self._clip.push(np.zeros((0, self._transform.config.channels or 1), np.float32), self._graphs)
        frames += self._clip.finish(self._graphs)
        self._is_finished = True
        return self._advance(frames)

    @property
    def _graphs(self) -> BlockGraphs:
        return self._transform._kernel.blocks

    def _samples(self, block: Any) -> np.ndarray:
        """Returns the samples of a block as float32 `[time, channels]`."""
        config = self._transform.config
        array = waveforms.numbers(block)
        if array.ndim == 3:
            raise ArgumentError(
                f"A block must be [time] or [time, channels]. Received: shape={array.shape}. Use a stream for each "
                "clip of a batch."
            )
        waveforms.check(array, None, config)
        samples = array.astype(np.float32, copy=False)
        samples = samples[:, None] if samples.ndim == 1 else samples
        if self._clip.channels not in (None, samples.shape[1]):
            raise ArgumentError(
                f"All blocks of a stream must have the same number of channels, here {self._clip.channels}. Received: "
                f"shape={array.shape}. Use a stream for each recording."
            )
        return samples

    def _check_open(self) -> None:
        if self._is_finished:
            raise ArgumentError(
                "A stream must not be used after finish. Received: another call. Start a stream for the next clip with "
                "transform.stream()."
            )

    def _advance(self, pieces: list[np.ndarray]) -> np.ndarray:
        """Passes on frames to the stages and returns those that come out of the last one."""
        axis, graphs = self._transform.config.frame_axis, self._graphs
        if not pieces:
            if self._no_frames is not None and not self._is_finished:
                return self._no_frames.copy()
            assert self._clip.channels is not None
            channels = self._transform.config.channels or self._clip.channels
            pieces = [graphs.frames(np.zeros((0, channels), np.float32))]
        frames = np.concatenate(pieces, axis)
        for stage, window in zip(graphs.stages, self._windows, strict=True):
            frames = window.advance(stage, np.moveaxis(frames, axis, 0), axis, is_last=self._is_finished)
        self._no_frames = np.take(frames, [], axis)
        return frames


@dataclass
class _Window:
    """State of a stage: the frames that later results depend on."""

    frames: np.ndarray | None = field(default=None)  # [frames, ...]
    first: int = 0  # number of the first of them in the clip
    rows: int = 0  # number of results that came out

    def advance(self, stage: FrameStage, frames: np.ndarray, axis: int, *, is_last: bool) -> np.ndarray:
        """Takes the next frames `[frames, ...]` and returns the results that they complete."""
        held = frames if self.frames is None else np.concatenate([self.frames, frames])
        end = self.first + len(held)
        rows = np.moveaxis(stage.run(np.moveaxis(held, 0, axis)).numpy(), axis, 0)
        offset = self.first // stage.per_row
        stop = None if is_last else max(self.rows, (end - stage.later) // stage.per_row) - offset
        complete = rows[self.rows - offset : stop]
        self.rows += len(complete)
        first = max(self.first, (self.rows * stage.per_row - stage.earlier) // stage.per_row * stage.per_row)
        self.frames, self.first = held[first - self.first :].copy(), first
        return np.moveaxis(complete, 0, axis)
