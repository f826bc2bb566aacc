"""TensorFlow graphs that compute a clip in blocks, with the bits of the whole clip.

The layers of a config are split in four. Those from a waveform to a waveform compute blocks of samples. The layers that
extend a clip are left out, because `block_cutting.FrameCutter` does so. Those that compute each frame on its own
compute pieces of whole frames. The others need more than a frame: all frames of the clip, or only a few neighbours.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs.base import MAX_CHANNELS, Config
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import ops
from audiopipe.transform import waveforms
from audiopipe.transform.block_cutting import FrameCutter

BLOCK_VALUES = 1 << 20  # windowed samples per channel in a piece of frames, so that they fit a processor's cache
BLOCK_SAMPLES = 1 << 20  # of a block that layers compute at once


@dataclass(frozen=True)
class FrameStage:
    """Layers from frames to frames that need only a few neighbours of a frame.

    Args:
        layers: The layers, which are `frame_local`, or a single one with `frame_context`.
        run: Graph of the layers, from the frames of a clip to the frames of a clip.
        earlier: Number of earlier frames that a frame of the result depends on.
        later: Number of later frames that it depends on.
        per_row: Number of frames that become one frame of the result.
    """

    layers: list[AudioLayer]
    run: tf.types.experimental.PolymorphicFunction
    earlier: int = 0
    later: int = 0
    per_row: int = 1


class BlockGraphs:
    """Graphs of one config for blocks of a clip.

    Args:
        config: The feature.
    """

    def __init__(self, config: Config):
        self.config = config
        with tf.init_scope():
            layers = config.layer().layers
        self._of_samples = list(itertools.takewhile(lambda layer: _sample_context(layer) is not None, layers))
        layers = layers[len(self._of_samples) :]
        self.most_samples: int | None = getattr(layers[0], "most_samples", None) if layers else None
        """Number of samples at the start of a clip that the feature depends on, or None if it depends on all."""
        extending = list(itertools.takewhile(lambda layer: getattr(layer, "extends_clip", False), layers))
        self._extends = bool(extending)
        replaced = [layer.without_extension() for layer in extending]
        layers = [layer for layer in replaced if layer is not None] + layers[len(extending) :]
        self._of_frames = list(itertools.takewhile(_is_frame_local, layers))
        self._others = layers[len(self._of_frames) :]

    @property
    def are_possible(self) -> bool:
        """Whether pieces of frames have the bits of the whole clip."""
        framing = self.config.framing
        # The framing of a class from another package may contradict its layers.
        return framing is not None and bool(self._of_frames) and framing.is_plain != self._extends

    @property
    def sample_context(self) -> int:
        """Number of samples before a block that its samples depend on."""
        return sum(_sample_context(layer) or 0 for layer in self._of_samples)

    @property
    def piece_frames(self) -> int:
        """Number of frames that are computed at once."""
        assert self.config.framing is not None
        return max(1, BLOCK_VALUES // self.config.framing.n_fft)

    @property
    def most_frames(self) -> int | None:
        """Number of results of `frames` that `feature` depends on, those of the start. None if it depends on all."""
        layers = list(itertools.takewhile(lambda layer: _is_frame_local(layer) or _frame_context(layer), self._others))
        cutting = self._others[len(layers) :][:1]
        most: int | None = getattr(cutting[0], "most_frames", None) if cutting else None
        for layer in reversed(layers):
            if most is not None and _frame_context(layer):
                most = most * layer.frames_per_row + layer.frame_context[1]
        return most

    def samples(self, block: np.ndarray) -> np.ndarray:
        """Computes the channels of the config and the layers of samples: `[time, channels]` from such a block."""
        channels = block.shape[1]
        if not self._of_samples and channels <= MAX_CHANNELS and self.config.channels in (None, channels):
            return block
        return self._samples(block).numpy()

    def frames(self, piece: np.ndarray) -> np.ndarray:
        """Computes the layers of frames, for the samples of whole frames `[time, channels]`."""
        return self._frames(piece).numpy()

    def feature(self, frames: np.ndarray) -> tf.Tensor:
        """Computes the feature of a clip from the results of `frames` for all its frames."""
        return self._feature(tf.constant(frames)) if self._others else tf.constant(frames)

    @functools.cached_property
    def stages(self) -> list[FrameStage]:
        """The layers after `frames`, for a clip whose frames come one after another.

        Raises:
            ArgumentError: If a layer needs the whole clip. The message names it and says why.
        """
        self._check_streams()
        stages = []
        for local, layers in itertools.groupby(self._others, _is_frame_local):
            if local:
                stages.append(self._stage(list(layers)))
                continue
            for layer in layers:
                earlier, later = layer.frame_context
                stages.append(self._stage([layer], earlier, later, layer.frames_per_row))
        return stages

    def _check_streams(self) -> None:
        for layer in self._others:
            if _is_frame_local(layer) or _frame_context(layer):
                continue
            reason = getattr(layer, "whole_clip", None)
            why = f", as {reason}" if reason else ""
            raise ArgumentError(
                "A stream needs a config whose frames do not depend on the whole clip. Received: a "
                f"{type(self.config).__name__} whose layer {type(layer).__name__} needs the whole clip{why}. "
                "Compute whole clips with the transform itself, or use a config without this step."
            )
        if not self.are_possible:
            raise ArgumentError(
                "A stream needs a config with a `framing`, and layers that begin with these frames of the waveform. "
                f"Received: {self.config!r}. Correct `framing` or the layers of its class, or compute whole clips with "
                "the transform itself."
            )

    def _stage(self, layers: list[AudioLayer], *context: int) -> FrameStage:
        signature = [tf.TensorSpec([None] * 3, tf.float32)]
        run = tf.function(functools.partial(through, layers), input_signature=signature, autograph=False)
        return FrameStage(layers, run, *context)

    @functools.cached_property
    def _samples(self) -> tf.types.experimental.PolymorphicFunction:
        def compute(samples: tf.Tensor) -> tf.Tensor:
            waveform = channels_of(self.config, samples)
            if not self._of_samples:
                return waveform
            return in_layout(self.config, through(self._of_samples, in_layout(self.config, waveform)))

        return tf.function(compute, input_signature=[tf.TensorSpec([None, None], tf.float32)], autograph=False)

    @functools.cached_property
    def _frames(self) -> tf.types.experimental.PolymorphicFunction:
        def compute(samples: tf.Tensor) -> tf.Tensor:
            return through(self._of_frames, in_layout(self.config, samples))

        signature = [tf.TensorSpec([None, self.config.channels], tf.float32)]
        return tf.function(compute, input_signature=signature, autograph=False)

    @functools.cached_property
    def _feature(self) -> tf.types.experimental.PolymorphicFunction:
        dtype = self._frames.get_concrete_function().structured_outputs.dtype
        signature = [tf.TensorSpec([None, None, None], dtype)]
        return tf.function(functools.partial(through, self._others), input_signature=signature, autograph=False)


class BlockedClip:
    """Clip that comes in blocks. Its state is a few small arrays, so it can be pickled.

    Args:
        graphs: Graphs of the config.
        least: Number of frames of a piece, see `FrameCutter`.
    """

    def __init__(self, graphs: BlockGraphs, *, least: int):
        assert graphs.config.framing is not None
        self._cutter = FrameCutter(graphs.config.framing, least=least, most=graphs.piece_frames)
        self._context: np.ndarray | None = None  # the last samples of the previous block

    @property
    def channels(self) -> int | None:
        """Number of channels of the blocks, or None before the first one."""
        return None if self._context is None else self._context.shape[1]

    def push(self, block: np.ndarray, graphs: BlockGraphs) -> Iterator[np.ndarray]:
        """Takes the next block `[time, channels]`, and yields the results of `BlockGraphs.frames` that are complete."""
        for start in range(0, max(1, len(block)), BLOCK_SAMPLES):
            part = block[start : start + BLOCK_SAMPLES]
            context = part[:0] if self._context is None else self._context
            joined = np.concatenate([context, part]) if graphs.sample_context else part
            self._context = joined[max(0, len(joined) - graphs.sample_context) :].copy()
            for piece in self._cutter.push(graphs.samples(joined)[len(joined) - len(part) :]):
                yield graphs.frames(piece)

    def finish(self, graphs: BlockGraphs) -> Iterator[np.ndarray]:
        """Yields the last results."""
        for piece in self._cutter.finish():
            yield graphs.frames(piece)


def channels_of(config: Config, clip: tf.Tensor) -> tf.Tensor:
    """Converts a clip `[time, channels]` to the channels of a config."""
    required = config.channels
    found = tf.shape(clip)[1]
    tf.debugging.assert_less_equal(found, MAX_CHANNELS, waveforms.TOO_MANY_CHANNELS)
    if config.channel is not None:
        return ops.pick_channel(clip, config.channel)
    if required == 1:
        return ops.mix_down(clip)
    if required is None:
        return clip
    fits = tf.debugging.assert_equal(found, required, f"The config requires {required} channels.")
    with tf.control_dependencies([fits]):  # ensure_shape could fail first, with a less helpful message
        return tf.ensure_shape(clip, [None, required])


def in_layout(config: Config, clip: tf.Tensor) -> tf.Tensor:
    """Converts a clip from `[time, channels]` to the layout of the layers of a config, or back."""
    return tf.transpose(clip) if config.input_data_format == "channels_first" else clip


def through(layers: Iterable[AudioLayer], values: tf.Tensor) -> tf.Tensor:
    """Applies layers to one clip without a batch axis."""
    values = values[None]
    for layer in layers:
        values = layer(values)
    return values[0]


def _sample_context(layer: Any) -> int | None:
    return getattr(layer, "sample_context", None)


def _is_frame_local(layer: Any) -> bool:
    return getattr(layer, "frame_local", False)


def _frame_context(layer: Any) -> tuple[int, int] | None:
    return getattr(layer, "frame_context", None)
