"""Transform: the one path from samples to features."""

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import forks, registry, rows, threads
from audiopipe.audio import joined
from audiopipe.config import MAX_CHANNELS, Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.kernel import GROUP, TOO_MANY_CHANNELS, Kernel

LONG_SECONDS = 60  # clips that are longer are computed in blocks


class Transform:
    """A config compiled: computes the same feature with the same bits wherever it is called.

    Give it to `tf.data.Dataset.map`, to `datasets.Dataset.map`, or call it. One graph serves clips of every length,
    and a batch is computed clip by clip, so that a result depends on its own clip alone.

    Args:
        config: A config, a registered name (`"speech-mel-80"`, `"speech-mel-80@1f3a9c"`), or the path of a JSON file.
        audio: Key of the audio in elements and rows that are mappings.
        feature: Key of the feature in the result.
        strict: Whether rows that hold samples which something else decoded are refused. Only where audiopipe decodes
            the stored bytes itself do the bits agree with the other doors.

    Example:
        >>> mel = Transform("speech-mel-80")
        >>> mel(np.zeros(16000, "float32")).shape
        (98, 80, 1)
        >>> dataset = tf.data.Dataset.from_tensors((tf.zeros([16000]), 1)).map(mel)
        >>> dataset.element_spec[0].shape
        TensorShape([None, 80, 1])
    """

    def __init__(
        self,
        config: "Config | str | os.PathLike[str]",
        *,
        audio: str = "audio",
        feature: str = "feature",
        strict: bool = False,
    ):
        self.config = registry.resolve(config)
        self.audio = audio
        self.feature = feature
        self.strict = strict
        self._lock = threading.Lock()
        self._compiled: Kernel | None = None

    def __call__(self, audio: Any, *rest: Any, lengths: Any = None, sample_rate: int | None = None) -> Any:
        """Compute the feature.

        Args:
            audio: One clip, `[time]` or `[time, channels]`; a batch of padded clips, always `[batch, time, channels]`;
                a mapping with such an entry, as `tf.data` has it; or a row or batch of rows of `datasets`. Floating
                point, full scale 1.0, at the config's sample rate.
            *rest: The rest of a tuple element; it is passed through.
            lengths: True number of samples of each clip of a batch, int `[batch]`. What lies beyond does not exist.
                In a mapping the entry `n_samples` takes its place.
            sample_rate: The samples' rate in hertz, if you want it checked. A rate other than the config's is refused.

        Returns:
            For a clip float32 `[frames, bins, channels]`, for a batch `[batch, frames, bins, channels]` with zeros
            beyond a clip's frames (with `channels_first` in the config, `[channels, frames, bins]`). A NumPy array for
            NumPy input, a tensor for a tensor. For a tuple element a tuple. For a mapping its other entries with the
            feature and `n_frames`; for rows of `datasets` the feature and `n_frames` alone, and without a channel
            axis where the feature has one channel.

        Raises:
            ArgumentError: If the input has none of these forms.
            AudioError: If a row's audio cannot be read.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        if sample_rate is not None and sample_rate != self.config.sample_rate:
            raise ArgumentError(
                f"The samples must have the config's rate. Received: sample_rate={sample_rate!r}, the config has "
                f"{self.config.sample_rate}. Read files with transform.read(path), which resamples as the config says."
            )
        if isinstance(audio, Mapping):
            if rest or lengths is not None:
                raise ArgumentError(
                    "A mapping must come alone: true lengths are its entry 'n_samples', and other values its other "
                    f"entries. Received also: {rest or lengths!r}."
                )
            return self._of_mapping(audio)
        feature = self._of_waveform(audio, lengths)
        return (feature, *rest) if rest else feature

    def read(self, source: Any) -> np.ndarray:
        """Read a clip at the config's sample rate and with its channels.

        Args:
            source: A path, the bytes of an audio file, an open binary file, or an audio value of a `datasets` row.

        Returns:
            float32 `[time, channels]`.

        Raises:
            AudioError: If it cannot be read or decoded. The message names the source.
        """
        return rows.read(source, self.config, strict=self.strict)

    def read_blocks(self, source: Any) -> Iterator[np.ndarray]:
        """Read a clip as `read` does, in blocks of some seconds, so that a long one never stands in memory whole.

        Args:
            source: As in `read`.

        Yields:
            float32 `[time, channels]`: consecutive blocks, at least one.

        Raises:
            AudioError: As in `read`, when the iteration comes to what is wrong.

        Example:
            >>> mel = Transform("speech-mel-80")
            >>> mel.compute(mel.read_blocks("examples/audio/speech.flac")).shape
            (349, 80, 1)
        """
        return rows.read_blocks(source, self.config, strict=self.strict)

    def compute(self, clip: np.ndarray | Iterable[np.ndarray]) -> np.ndarray:
        """The feature of one clip that is to become a record or a row, and so has to have at least one frame.

        A clip of more than a minute is computed in blocks of frames, with the same bits.

        Args:
            clip: float32 `[time, channels]`, as `read` returns it, or its blocks, as `read_blocks` yields them.

        Returns:
            float32 `[frames, bins, channels]`.

        Raises:
            AudioError: If the clip is shorter than one frame.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        whole, feature = self._begun([rows.samples(clip)] if isinstance(clip, np.ndarray) else clip)
        return self._of_waveform(whole, None) if feature is None else feature

    def rows(self, values: Iterable[Any]) -> Iterator["tuple[np.ndarray, int] | AudioError | ArgumentError"]:
        """What rows of `datasets` get for their audio. They are read in threads and computed some at a time.

        Args:
            values: The rows' audio, each in any form that `read` takes.

        Yields:
            For each row the feature, without a channel axis where it has one channel, and its frames; or why there is
            none: it is of none of these forms, cannot be read, or is shorter than one frame. The arrays are read-only.

        Raises:
            ForkError: If this process was forked after TensorFlow had run.

        Example:
            >>> first, second = Transform("speech-mel-80").rows(["examples/audio/speech.flac", "gone.wav"])
            >>> first[0].shape, first[1], str(second)
            ((349, 80), 349, "Could not read 'gone.wav': No such file or directory.")
        """
        forks.check()
        remaining = iter(values)
        while group := list(itertools.islice(remaining, GROUP)):
            # Where nothing is to be decoded, threads would take longer to start than to work.
            ready = all(rows.is_ready(value, self.config.sample_rate) for value in group)
            begun = list(map(self._begun_row, group)) if ready else threads.map_in_order(self._begun_row, group)
            clips = [made[0] for made in begun if isinstance(made, tuple) and made[0] is not None]
            features = iter(self._kernel.clips(clips))
            for made in begun:
                if isinstance(made, tuple):
                    yield self._as_row(np.asarray(next(features)) if made[1] is None else made[1])
                else:
                    yield made

    def n_frames(self, lengths: Any) -> Any:
        """Frames of clips of `lengths` samples: an int, a NumPy array (also for a list) or a tensor, as given."""
        return self.config.n_frames(np.asarray(lengths, np.int64) if isinstance(lengths, (list, tuple)) else lengths)

    def __reduce__(self):
        # A pickle, and with it the fingerprint of a mapped dataset, holds no traced graph, which differs every time,
        # but the kernel version: else an upgrade would be served features from before it.
        return _restore, (
            type(self),
            self.config,
            self.audio,
            self.feature,
            self.config.kernel_version,
            self.strict,
        )

    def __repr__(self) -> str:
        strict = ", strict=True" if self.strict else ""
        return f"Transform({self.config!r}, audio={self.audio!r}, feature={self.feature!r}{strict})"

    def _begun_row(self, value: Any) -> "tuple[np.ndarray | None, np.ndarray | None] | AudioError | ArgumentError":
        """What `_begun` makes of a row's audio, or why it cannot."""
        try:
            clip, feature = self._begun(self.read_blocks(value))
            if clip is not None:
                self._check_waveform(clip, None)
            return clip, feature
        except (AudioError, ArgumentError) as error:
            return error

    def _begun(self, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray | None, np.ndarray | None]:
        """A clip of at least one frame, whole, or None and its feature where it is a long one."""
        blocks = iter(blocks)
        framing = self.config.framing
        limit = max(LONG_SECONDS * self.config.sample_rate, framing.win_length if framing else 0)
        held, n_samples = [], 0
        for block in blocks:
            held.append(block)
            n_samples += block.shape[0]
            if n_samples > limit:
                self._check_waveform(block, None)
                return None, self._kernel.stream(itertools.chain(held, blocks)).numpy()
        if self.n_frames(n_samples) == 0:
            raise AudioError(
                f"The clip is shorter than one frame. Received: {n_samples} samples at {self.config.sample_rate} "
                "Hz. Use a longer clip, a shorter win_length, or pad_end=True in the config.",
                stage="feature",
            )
        return joined(held), None

    def _as_row(self, feature: np.ndarray) -> tuple[np.ndarray, int]:
        channels_last = self.config.output_data_format == "channels_last"
        n_frames = feature.shape[0 if channels_last else 1]
        if self.config.feature_channels == 1:
            feature = np.squeeze(feature, axis=-1 if channels_last else 0)
        return feature, n_frames

    @property
    def _kernel(self) -> Kernel:
        with self._lock:
            if self._compiled is None:
                self._compiled = Kernel(self.config)
            return self._compiled

    def _of_waveform(self, waveform: Any, lengths: Any) -> Any:
        is_tensor = tf.is_tensor(waveform)
        if not is_tensor:
            if isinstance(waveform, (str, bytes, os.PathLike)) or hasattr(waveform, "read"):
                raise ArgumentError(
                    f"A call takes samples. Received: {type(waveform).__name__}. Read a file first: "
                    f"transform(transform.read(path))."
                )
            waveform = rows.numbers(waveform)
        self._check_waveform(waveform, lengths)
        waveform = tf.cast(waveform, tf.float32)
        if waveform.shape.rank == 3:
            feature = self._of_batch(waveform, lengths)
        else:
            clip = waveform if waveform.shape.rank == 2 else waveform[:, None]
            feature = self._kernel.clip(clip)
            if _is_symbolic(feature):
                feature = tf.ensure_shape(feature, self.config.feature_shape(None, self._channels(clip)))
        return feature if is_tensor else feature.numpy()

    def _of_batch(self, batch: tf.Tensor, lengths: Any) -> tf.Tensor:
        if lengths is None:
            features = self._kernel.whole(batch)
            if features is not None:
                return features
            lengths = tf.fill([tf.shape(batch)[0]], tf.shape(batch)[1])
        elif not tf.is_tensor(lengths):
            lengths = np.asarray(lengths) if np.size(lengths) else np.zeros(0, np.int64)
        is_integer = tf.as_dtype(lengths.dtype).is_integer
        if _is_symbolic(lengths) or _is_symbolic(batch):
            if not is_integer:
                raise ArgumentError(f"lengths must be integers. Received: dtype={tf.as_dtype(lengths.dtype).name}.")
        else:
            values, (size, samples) = np.asarray(lengths), batch.shape[:2]
            if not is_integer or values.shape != (size,) or not ((values >= 0) & (values <= samples)).all():
                raise ArgumentError(
                    f"lengths must be {size} integers of 0 .. {samples}, one for each clip of the batch. "
                    f"Received: {values.tolist()}."
                )
            if size == 0:
                return tf.zeros([0, *self.config.feature_shape(self.n_frames(samples), self._channels(batch))])
        features = self._kernel.batch(batch, tf.cast(lengths, tf.int32))
        frames = None if batch.shape[1] is None else self.n_frames(batch.shape[1])
        return tf.ensure_shape(features, [batch.shape[0], *self.config.feature_shape(frames, self._channels(batch))])

    def _of_mapping(self, element: Mapping[str, Any]) -> dict[str, Any]:
        if self.audio not in element:
            raise ArgumentError(
                f"There is no {self.audio!r} in the element. Received the keys: {', '.join(map(str, element))}. Name "
                "the key that holds the audio: Transform(..., audio=...)."
            )
        value = rows.value_of(element, self.audio)
        is_tensor = tf.is_tensor(value)
        if rows.is_lazy_batch(element):  # of a map, which writes what it gets into a table
            return self._of_rows(value, writable=False)
        if rows.is_batch_of_encoded(value):
            return self._of_rows(value)
        if rows.is_lazy(element) or rows.is_encoded(value):
            return {name: column[0] for name, column in self._of_rows([value]).items()}
        if not is_tensor:
            value = rows.numbers(value)
        if not _is_symbolic(value) and value.ndim != 1:
            raise ArgumentError(
                f"Numbers of rank {value.ndim} in a mapping outside of a tf.data map could be a clip with channels or "
                f"a batch of clips. Received: {self.audio!r} of shape {tuple(value.shape)}. For a datasets.Dataset use "
                f"audiopipe.hf.map(dataset, transform), which knows; else call the transform on the array itself."
            )
        is_batch = value.shape is not None and len(value.shape) == 3
        lengths = element.get("n_samples") if is_batch else None
        if is_batch and "n_channels" in element:
            value = _of_equal_channels(value, element["n_channels"])
        feature = self._of_waveform(value, lengths)
        if lengths is None:
            shape = tf.shape(value, out_type=tf.int64)
            lengths = tf.fill([shape[0]], shape[1]) if is_batch else shape[0]
        n_frames = self.n_frames(tf.cast(lengths, tf.int64))
        others = {key: entry for key, entry in element.items() if key != self.audio}
        taken = sorted({self.feature, "n_frames"} & others.keys())
        if taken:
            raise ArgumentError(
                f"The element has entries of the names that the transform makes. Received: {', '.join(taken)}. Drop "
                f"them, or name the feature: Transform(..., feature=...)."
            )
        return {**others, self.feature: feature, "n_frames": n_frames if is_tensor else int(n_frames)}

    def _of_rows(self, values: Any, *, writable: bool = True) -> dict[str, list[Any]]:
        features, counts = [], []
        for made in self.rows(values):
            if isinstance(made, Exception):
                raise made
            features.append(made[0].copy() if writable else made[0])
            counts.append(made[1])
        return {self.feature: features, "n_frames": counts}

    def _channels(self, waveform: tf.Tensor) -> int | None:
        """Channels of the clips once they are mixed down, as far as they are known."""
        return waveform.shape[-1] if self.config.channels is None else self.config.channels

    def _check_waveform(self, waveform: Any, lengths: Any) -> None:
        dtype = tf.as_dtype(waveform.dtype) if waveform.dtype != object else None
        if dtype is None or not dtype.is_floating:
            raise ArgumentError(
                f"A waveform must hold floating-point samples with full scale 1.0. Received: dtype="
                f"{waveform.dtype if dtype is None else dtype.name}. Scale integers first, 16 bits for example with "
                "waveform.astype('float32') / 32768. Paths become samples with transform.read or "
                "audiopipe.tfdata.from_audio."
            )
        shape = tf.TensorShape(waveform.shape)
        if shape.rank not in (1, 2, 3):
            raise ArgumentError(
                "A waveform must be [time] or [time, channels], a batch [batch, time, channels]. Received: "
                f"shape={shape}{'; set it with tf.ensure_shape' if shape.rank is None else ''}."
            )
        if shape.rank != 3 and lengths is not None:
            raise ArgumentError(
                f"lengths belong to a batch, [batch, time, channels]. Received: lengths with shape={shape}, which is "
                "one clip. Give mono clips a channel axis: batch[..., None]."
            )
        channels = shape[-1] if shape.rank > 1 else 1
        if channels is not None and not 1 <= channels <= MAX_CHANNELS:
            raise ArgumentError(f"{TOO_MANY_CHANNELS} Received: shape={tuple(shape)}.")
        if self.config.channels not in (None, 1, channels) and channels is not None:
            raise ArgumentError(
                f"The config requires {self.config.channels} channels. Received: shape={tuple(shape)}. Set channels=1 "
                "in the config to mix down, or channels=None to keep what there is."
            )


def _restore(
    cls: type[Transform], config: Config, audio: str, feature: str, kernel_version: int, strict: bool
) -> Transform:
    if kernel_version != config.kernel_version:
        raise ArgumentError(
            f"This transform was pickled by an audiopipe whose {type(config).__name__} has kernel version "
            f"{kernel_version}; here it has {config.kernel_version} and gives other bits. Use one version of audiopipe."
        )
    return cls(config, audio=audio, feature=feature, strict=strict)


def _of_equal_channels(batch: tf.Tensor, n_channels: tf.Tensor) -> tf.Tensor:
    """The batch, with a check that padding has made up no channels."""
    fits = tf.debugging.assert_equal(
        tf.cast(n_channels, tf.int32),
        tf.shape(batch)[2],
        "All clips of a batch must have as many channels. Set channels in the config, or put clips of equal channels "
        "into one batch.",
    )
    with tf.control_dependencies([fits]):
        return tf.identity(batch)


def _is_symbolic(value: Any) -> bool:
    return tf.is_tensor(value) and not hasattr(value, "numpy")
