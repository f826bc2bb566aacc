"""TensorFlow graphs that compute the feature of a config."""

import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from audiopipe import audio
from audiopipe.configs.base import Config
from audiopipe.layers.composed_layer import PIECE_SAMPLES
from audiopipe.transform import block_cutting, ends, paddings
from audiopipe.transform.block_graphs import BlockedClip, BlockGraphs, channels_of, in_layout

GROUP = 8  # clips per call of a graph, as starting it takes as long as computing one second of audio
AT_ONCE = 2  # clips of a group that are computed concurrently, as each keeps its intermediate results in memory


class Kernel:
    """Graphs of one config. Each is traced once, when it is needed first, and computes clips of every length.

    Args:
        config: The feature.
    """

    def __init__(self, config: Config):
        self.config = config
        with tf.init_scope():  # the first use may be inside the graph of a tf.data map
            self.layer = config.layer()
        clip = tf.TensorSpec([None, None], tf.float32)
        batch = tf.TensorSpec([None, None, None], tf.float32)
        # With bound methods, TensorFlow would warn about retracing, as many kernels share one method.
        lengths = tf.TensorSpec([None], tf.int32)
        fitting = tf.TensorSpec([None, config.channels], tf.float32)
        self._of_any_clip = tf.function(functools.partial(self._clip), input_signature=[clip], autograph=False)
        self._of_fitting_clip = tf.function(functools.partial(self._clip), input_signature=[fitting], autograph=False)
        self.batch = tf.function(functools.partial(self._batch), input_signature=[batch, lengths], autograph=False)
        splits = tf.TensorSpec([None], tf.int64)
        self.ragged = tf.function(functools.partial(self._ragged), input_signature=[clip, splits], autograph=False)

    def clip(self, clip: np.ndarray | tf.Tensor) -> tf.Tensor:
        """Computes the feature of one clip.

        There are two graphs, because conditions and loops that mix any number of channels would make up half of the
        operations for a clip that needs none of them.

        Args:
            clip: float32 `[time, channels]`.
        """
        return (self._fitting_clip if clip.shape[1] == self.config.channels else self._any_clip)(clip)

    @functools.cached_property
    def _fitting_clip(self) -> tf.types.experimental.ConcreteFunction:
        """Traced function for clips with the config's number of channels.

        It is faster than the `tf.function`, which takes a tenth of a millisecond per call to look it up.
        """
        return self._of_fitting_clip.get_concrete_function()

    @functools.cached_property
    def _any_clip(self) -> tf.types.experimental.ConcreteFunction:
        """Traced function for clips with any number of channels."""
        return self._of_any_clip.get_concrete_function()

    def clips(self, clips: Sequence[np.ndarray | tf.Tensor]) -> list[tf.Tensor]:
        """Computes the features of several clips of any lengths.

        The bits are those of `clip`, which takes nearly twice as long.

        Args:
            clips: At most `GROUP` clips, float32 `[time, channels]`, with the config's number of channels if it is set.
        """
        if len(clips) < 2:
            return [self.clip(clip) for clip in clips]
        nothing = np.zeros((0, clips[0].shape[1]), np.float32)
        return self._of_group(*clips, *[nothing] * (GROUP - len(clips)))[: len(clips)]

    def traced(self, clip: tf.Tensor) -> tf.Tensor:
        """Computes the feature of one clip in the graph that is being traced, with the bits of `clip`.

        The operations become part of that graph. `tf.data` does not inline functions, and calling one takes nearly half
        as long as computing a second of audio.

        Args:
            clip: float32 `[time, channels]`.
        """
        return self._clip(clip)

    def whole(self, batch: tf.Tensor) -> tf.Tensor | None:
        """Computes the features of clips without padding in the graph that is being traced.

        Args:
            batch: float32 `[batch, time, channels]`.

        Returns:
            The features with the bits of `self.batch`. None if there is nothing to gain over `self.batch`: in eager
            mode, if the shape is not fully known, if channels have to be mixed or one of them picked, or if a large
            batch would not be computed in pieces.
        """
        if tf.executing_eagerly() or not batch.shape.is_fully_defined() or 0 in batch.shape:
            return None
        if self.config.channels not in (None, batch.shape[2]):
            return None
        in_tf_data = tf.compat.v1.get_default_graph().name.startswith("Dataset_")  # there, the layer makes no pieces
        if in_tf_data and batch.shape.num_elements() > PIECE_SAMPLES:
            return None
        return self._rows(batch)

    @functools.cached_property
    def _of_group(self) -> tf.types.experimental.ConcreteFunction:
        """Traced function that computes the features of `GROUP` clips, at most `AT_ONCE` of them concurrently."""
        signature = [tf.TensorSpec([None, self.config.channels], tf.float32)]
        feature = tf.function(functools.partial(self._clip), input_signature=signature, autograph=False)

        def compute(*clips: tf.Tensor) -> list[tf.Tensor]:
            features: list[tf.Tensor] = []
            for clip in clips:
                with tf.control_dependencies(features[-AT_ONCE:][:1] if len(features) >= AT_ONCE else []):
                    features.append(feature(tf.identity(clip)))
            return features

        return tf.function(compute, input_signature=signature * GROUP, autograph=False).get_concrete_function()

    def stream(self, blocks: Iterable[np.ndarray]) -> tf.Tensor:
        """Computes the feature of one clip that comes in blocks, with the bits of `clip`.

        Holds one block of samples at a time if the config has a `framing`. If it has none, joins all blocks, or those
        of the start if the feature cuts the clip. What the feature leaves out is read all the same, so that errors of
        `blocks` are raised.

        Args:
            blocks: Consecutive blocks of a clip, float32 `[time, channels]`, which together have at least one frame.
        """
        graphs = self.blocks
        if not graphs.are_possible:
            most = graphs.most_samples
            return self.clip(audio.joined(blocks if most is None else block_cutting.beginning(blocks, most)))
        return graphs.feature(_gathered(self._frames(blocks), self.config.frame_axis))

    def _frames(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields the frames of a clip that comes in blocks, those of the start if the feature cuts the clip."""
        graphs, axis, count = self.blocks, self.config.frame_axis, 0
        most = graphs.most_frames
        clip = BlockedClip(graphs, least=min(graphs.piece_frames, most or graphs.piece_frames))
        for block in blocks:
            if most is not None and count >= most:
                continue
            for frames in clip.push(block, graphs):
                count += frames.shape[axis]
                yield frames
        if most is None or count < most:
            yield from clip.finish(graphs)

    @functools.cached_property
    def blocks(self) -> BlockGraphs:
        """Graphs that compute a clip in blocks."""
        return BlockGraphs(self.config)

    def _waveform(self, clip: tf.Tensor) -> tf.Tensor:
        """Converts a clip `[time, channels]` to the channels and the layout of the config."""
        return in_layout(self.config, channels_of(self.config, clip))

    def _clip(self, clip: tf.Tensor) -> tf.Tensor:
        """Computes the feature of one clip `[time, channels]`, in the shape of `Config.feature_shape`."""
        if self.config.max_samples is not None:
            most, message = self.config.max_samples, ends.too_long(self.config)
            with tf.control_dependencies([tf.debugging.assert_less_equal(tf.shape(clip)[0], most, message)]):
                clip = tf.identity(clip)
        feature = self.layer(self._waveform(clip)[None])[0]
        return tf.ensure_shape(feature, self.config.feature_shape(None, self.config.channels))

    def _batch(self, batch: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Computes the features of padded clips `[batch, time, channels]`, each from its own samples alone.

        Frames beyond those of a clip hold `config.padding`. If no clip is padded, several are computed together, which
        does not change the bits. The operations of short clips take less time than starting them, and intermediate
        results of too many clips would not stay in the processor's cache.
        """
        config = self.config
        size, samples, channels = tf.unstack(tf.shape(batch))
        tf.debugging.assert_equal(tf.shape(lengths)[0], size, "There must be one length for each clip.")
        tf.debugging.assert_non_negative(lengths, "lengths must be at least 0.")
        tf.debugging.assert_less_equal(lengths, samples, "lengths must be at most the samples of the batch.")
        if config.max_samples is not None:
            tf.debugging.assert_less_equal(lengths, config.max_samples, ends.too_long(config))
        mixed = channels_of(config, tf.reshape(batch, [size * samples, channels]))
        clips = tf.reshape(mixed, [size, samples, config.channels or channels])
        frames = config.n_frames(samples)
        are_whole = tf.reduce_all(lengths == samples)
        most = tf.maximum(1, PIECE_SAMPLES // tf.maximum(1, samples * tf.shape(clips)[2]))
        step = tf.where(are_whole, most, 1)
        n_pieces = (size + step - 1) // step
        shape = [None, *config.feature_shape(None, config.channels)]
        features = tf.TensorArray(tf.float32, size=n_pieces, infer_shape=False, element_shape=shape)

        def piece(number: tf.Tensor, features: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            first = number * step
            rows = clips[first : first + step, : lengths[first]]
            return number + 1, features.write(number, paddings.pad_frames(config, self._rows(rows), frames))

        _, features = tf.while_loop(lambda number, _: number < n_pieces, piece, (0, features))
        return features.concat()

    def _rows(self, batch: tf.Tensor) -> tf.Tensor:
        """Applies the layer to clips of the same length `[batch, time, channels]`, with the channels of the config."""
        is_first = self.config.input_data_format == "channels_first"
        return self.layer(tf.transpose(batch, [0, 2, 1]) if is_first else batch)

    def _ragged(self, samples: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
        """Computes the features of clips one after another `[time, channels]`, each from its own samples alone.

        Returns:
            The frames of all clips, `[frames, bins, channels]`. For `channels_first`, those of the first channel of
            the first clip, then those of its second channel, and so on: `[frames, bins]`.
        """
        config, n_clips = self.config, tf.shape(row_splits)[0] - 1
        features = tf.TensorArray(tf.float32, size=n_clips, infer_shape=False, element_shape=[None])

        def one(number: tf.Tensor, features: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            feature = self._clip(samples[row_splits[number] : row_splits[number + 1]])
            return number + 1, features.write(number, tf.reshape(feature, [-1]))

        _, features = tf.while_loop(lambda number, _: number < n_clips, one, (0, features))
        if config.output_data_format == "channels_first":
            return tf.reshape(features.concat(), [-1, config.n_bins])
        channels = config.feature_channels or tf.shape(samples)[1] * len(config.quantities)
        return tf.reshape(features.concat(), [-1, config.n_bins, channels])


def _gathered(blocks: Iterable[np.ndarray], axis: int) -> np.ndarray:
    """Joins blocks along an axis, in little more memory than the result takes.

    Keeping many small blocks until the end would fragment the heap. An array that grows in place is not copied once it
    is large, because the operating system remaps its pages.
    """
    joined, size = np.empty(0, np.float32), 0
    for block in blocks:
        rows = np.moveaxis(block, axis, 0)
        if size == 0:
            joined = np.empty((0, *rows.shape[1:]), rows.dtype)
        if size + len(rows) > len(joined):
            joined.resize((max(size + len(rows), len(joined) * 9 // 8), *rows.shape[1:]), refcheck=False)
        joined[size : size + len(rows)] = rows
        size += len(rows)
    joined.resize((size, *joined.shape[1:]), refcheck=False)
    return np.moveaxis(joined, 0, axis)
