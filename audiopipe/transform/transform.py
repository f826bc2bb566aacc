"""Transform: the one path from samples to features."""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from audiopipe import registry
from audiopipe.configs import Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.runtime import forks
from audiopipe.transform import audio_values, call_inputs, row_features, waveform_features, waveforms
from audiopipe.transform.call_inputs import Element, Row, RowBatch
from audiopipe.transform.kernel import Kernel
from audiopipe.transform.row_features import LongClip


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
        if isinstance(audio, Mapping) and (rest or lengths is not None):
            raise ArgumentError(
                "A mapping must come alone: its lengths are its entry 'n_samples', and other values are its other "
                f"entries. Received also: {rest or lengths!r}."
            )
        found = call_inputs.classify(audio, lengths, self.config, self.audio, self.feature)
        if isinstance(found, RowBatch):
            return self._rows(found.values, writable=found.writable)
        if isinstance(found, Row):
            return {name: column[0] for name, column in self._rows([found.value]).items()}
        if isinstance(found, Element):
            feature = waveform_features.compute(found.waveform, self._kernel)
            n_frames = waveform_features.n_frames(found.waveform, self._kernel)
            return {**found.others, self.feature: feature, "n_frames": n_frames}
        feature = waveform_features.compute(found, self._kernel)
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
        return audio_values.read(source, self.config, strict=self.strict)

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
        return audio_values.read_blocks(source, self.config, strict=self.strict)

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
        blocks = [waveforms.samples(clip)] if isinstance(clip, np.ndarray) else clip
        result = row_features.read_or_compute(blocks, self._kernel)
        if isinstance(result, LongClip):
            return result.feature
        waveform = call_inputs.classify_waveform(result.samples, None, self.config)
        return waveform_features.compute(waveform, self._kernel)

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
        return row_features.compute(values, self._kernel, self.read_blocks)

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

    @property
    def _kernel(self) -> Kernel:
        with self._lock:
            if self._compiled is None:
                self._compiled = Kernel(self.config)
            return self._compiled

    def _rows(self, values: Any, *, writable: bool = True) -> dict[str, list[Any]]:
        features, counts = [], []
        for result in self.rows(values):
            if isinstance(result, Exception):
                raise result
            features.append(result[0].copy() if writable else result[0])
            counts.append(result[1])
        return {self.feature: features, "n_frames": counts}


def _restore(
    cls: type[Transform], config: Config, audio: str, feature: str, kernel_version: int, strict: bool
) -> Transform:
    if kernel_version != config.kernel_version:
        raise ArgumentError(
            f"This transform was pickled by an audiopipe whose {type(config).__name__} has kernel version "
            f"{kernel_version}; here it has {config.kernel_version} and gives other bits. Use one version of audiopipe."
        )
    return cls(config, audio=audio, feature=feature, strict=strict)
