"""Compiled config that computes features from samples."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import checks, registry
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.configs import Config
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.runtime import forks
from audiopipe.transform import (
    audio_values,
    call_inputs,
    clip_features,
    dataset_maps,
    layer_fit,
    row_features,
    waveform_features,
    waveforms,
)
from audiopipe.transform.call_inputs import Element, Row, RowBatch
from audiopipe.transform.clip_items import Whole
from audiopipe.transform.kernel import Kernel
from audiopipe.transform.row_columns import RowColumns, count_columns
from audiopipe.transform.row_features import Made
from audiopipe.transform.stream import Stream


class Transform:
    """Compiled config that computes the same feature with the same bits wherever it is called.

    Call it, or pass it to `tf.data.Dataset.map` or `datasets.Dataset.map`. One graph computes clips of any length. A
    batch is computed clip by clip, so each result depends only on its own clip.

    `datasets.Dataset.map(transform)` gives the result of `audiopipe.hf.map`, with types, digests and a fingerprint, and
    is cached in the same way. If you map your own function that calls the transform, such as `lambda row:
    transform(row)`, the result has only values.

    Args:
        config: A config, a registered name (`"speech-mel-80"`, `"speech-mel-80@1f3a9c"`), or the path of a JSON file
            with a config or a feature extractor of transformers (`"preprocessor_config.json"`).
        audio: Key of the audio in elements and rows that are mappings.
        feature: Key of the feature in the result.
        strict: Whether to refuse rows with samples that another library decoded. The bits agree with the other doors
            only if audiopipe decodes the stored bytes itself.
        accept_truncated: Whether to read a damaged or truncated file up to the fault, with a remark, instead of raising
            an error.

    Raises:
        RegistryError: If the name is unknown.
        ConfigError: If the config's class belongs to another package, and its layer does not compute what the config
            describes.

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
        accept_truncated: bool = False,
    ):
        self.config = registry.resolve(config)
        layer_fit.check(self.config)
        self.audio = audio
        self.feature = feature
        self.strict = strict
        self.accept_truncated = checks.boolean("accept_truncated", accept_truncated)
        self._lock = threading.Lock()
        self._compiled: Kernel | None = None

    @tf.autograph.experimental.do_not_convert  # nothing here needs AutoGraph, which takes longer than tracing
    def __call__(self, audio: Any, *rest: Any, lengths: Any = None, sample_rate: int | None = None) -> Any:
        """Computes the feature of a clip, a batch, an element or a row.

        Args:
            audio: One clip, `[time]` or `[time, channels]`; a batch of padded clips, always `[batch, time, channels]`;
                a `tf.RaggedTensor` of clips, `[batch, (time)]` or `[batch, (time), channels]`; a mapping with such an
                entry, like an element of `tf.data`; or a row or batch of rows of `datasets`. Samples are floating
                point, with full scale 1.0, at the config's sample rate. If the config picks a channel, samples with one
                channel `[time, 1]`, as `read` returns them, count as that channel.
            *rest: The other items of a tuple element, which are passed through.
            lengths: Number of samples of each clip of a padded batch, int `[batch]`. Samples beyond it are ignored. In
                a mapping, the entry `n_samples` is used instead. A ragged tensor carries its lengths.
            sample_rate: Sample rate of `audio` in hertz, to be checked against that of the config. Optional.

        Returns:
            float32 `[frames, bins, channels]` for a clip, and `[batch, frames, bins, channels]` for a batch, with
            `config.padding` beyond the frames of each clip. If the config says `channels_first`, channels come before
            frames. A ragged tensor gives a ragged tensor `[batch, (frames), bins, channels]`, or `[batch, channels,
            (frames), bins]`, in which a clip shorter than a frame has no frames; `.to_tensor(config.padding)` pads it.
            NumPy input gives a NumPy array, and a tensor gives a tensor. A tuple element gives a tuple. A mapping gives
            its other entries with the feature and `n_frames`. Rows of `datasets` give only the feature and `n_frames`,
            and the feature lacks the channel axis if it has one channel. If the config pads or cuts clips, or the
            mapping has the entry `valid_samples` of `tfdata.from_audio`, they also give `valid_frames`, the number of
            frames that hold audio. If metadata of a mapping has that name, the number is added as `valid_frames_`. If
            rows of `datasets` already have `n_frames` and no feature of this name, the new columns are called
            `<feature>_n_frames` and `<feature>_valid_frames`.

        Raises:
            ArgumentError: If the input has none of these forms, or `sample_rate` is not that of the config.
            AudioError: If a row's audio cannot be read, or a clip is longer than `config.max_samples`. In `tf.data`,
                an assertion with this message fails instead.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        if sample_rate is not None and sample_rate != self.config.sample_rate:
            raise ArgumentError(
                "sample_rate must be that of the config. Received: sample_rate="
                f"{sample_rate!r}. The config has {self.config.sample_rate}. Read files with transform.read(path), "
                "which resamples."
            )
        if isinstance(audio, Mapping) and (rest or lengths is not None):
            raise ArgumentError(
                "A mapping must be the only argument. Also received: "
                f"{rest or lengths!r}. Put lengths into the entry 'n_samples', and other values into other entries."
            )
        found = call_inputs.classify(audio, lengths, self.config, self.audio, self.feature)
        if isinstance(found, RowBatch):
            return self._rows(found.values, found.is_counted, writable=found.writable)
        if isinstance(found, Row):
            return {name: column[0] for name, column in self._rows([found.value], found.is_counted).items()}
        if isinstance(found, Element):
            feature = waveform_features.compute(found.waveform, self._kernel)
            n_frames = waveform_features.n_frames(found.waveform, self._kernel, feature)
            added = {self.feature: feature, "n_frames": n_frames}
            if found.valid_frames is not None:
                added[found.valid_frames] = waveform_features.valid_frames(
                    found.waveform, self._kernel, found.valid_samples
                )
            return {**found.others, **added}
        feature = waveform_features.compute(found, self._kernel)
        return (feature, *rest) if rest else feature

    def read(self, source: Any, *, on_remark: Callable[[Remark], None] | None = None) -> np.ndarray:
        """Reads a clip at the sample rate and with the channels of the config.

        Args:
            source: A path, the bytes of an audio file, an open binary file, or an audio value of a `datasets` row.
            on_remark: Function that receives remarks about the clip, such as a missing end. If None, each remark
                becomes a warning of class `audiopipe.errors.AudioRemark` that names the source.

        Returns:
            float32 `[time, channels]`.

        Raises:
            AudioError: If the clip cannot be read or decoded. The message names the source.
        """
        return audio_values.read(source, self.config, **self._options, on_remark=on_remark)

    def read_blocks(self, source: Any, *, on_remark: Callable[[Remark], None] | None = None) -> Iterator[np.ndarray]:
        """Reads a clip like `read`, in blocks of bounded size, so that a long clip need not fit into memory.

        Args:
            source: As in `read`.
            on_remark: As in `read`. It receives a remark when the iteration reaches its cause, often only at the end.

        Yields:
            float32 `[time, channels]`: consecutive blocks, at least one.

        Raises:
            AudioError: As in `read`, when the iteration reaches the fault.

        Example:
            >>> mel = Transform("speech-mel-80")
            >>> mel.compute(mel.read_blocks("examples/audio/speech.flac")).shape
            (349, 80, 1)
        """
        return audio_values.read_blocks(source, self.config, **self._options, on_remark=on_remark)

    def compute(self, clip: np.ndarray | Iterable[np.ndarray]) -> np.ndarray:
        """Computes the feature of one clip, which must have at least one frame.

        Clips longer than a minute are computed in blocks of frames, with the same bits, if the config has a `framing`.
        If the feature covers only the start of a clip, the rest is read and checked, but not kept in memory.

        Args:
            clip: float32 `[time, channels]`, as `read` returns it, or its blocks, as `read_blocks` yields them.
                Samples with all channels are accepted too.

        Returns:
            float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.

        Raises:
            AudioError: If the clip is shorter than one frame, or longer than `config.max_samples`.
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        if isinstance(clip, np.ndarray):
            blocks: Iterable[np.ndarray] = [waveforms.samples(clip)]
            waveforms.check_channel(clip.shape, self.config)
        else:
            blocks = clip
        items = row_features.items(None, blocks, self.config)
        first = next(items)
        if isinstance(first, Whole):
            waveform = call_inputs.classify_waveform(first.samples, None, self.config)
            return waveform_features.compute(waveform, self._kernel)
        [result] = clip_features.computed(itertools.chain([first], items), self._kernel)
        if isinstance(result.feature, Exception):
            raise result.feature
        return np.array(result.feature)

    def computed(self, items: Iterable[Any]) -> Generator[Any, None, None]:
        """Replaces clips by their features among the items of a reader, see `audiopipe.transform.clip_features`.

        Raises:
            ForkError: If this process was forked after TensorFlow had run.
        """
        forks.check()
        return clip_features.computed(items, self._kernel)

    def rows(
        self, values: Iterable[Any], *, on_remark: Callable[[int, Remark], None] | None = None
    ) -> Generator["Made | AudioError | ArgumentError", None, None]:
        """Computes the features of rows of `datasets`. Rows are read in threads and computed in groups.

        Args:
            values: The audio of each row, in any form that `read` takes.
            on_remark: Function that receives the position of a row in `values` and a remark about its audio, just
                before the feature of the row is yielded. It is called in the thread that iterates. If None, each remark
                becomes a warning of class `audiopipe.errors.AudioRemark` that names the file, or else the position.

        Yields:
            For each row, a tuple or an error. The arrays are read-only.

            - The tuple has the feature (without the axis of a single channel) and its number of frames. If the config
              pads or cuts clips, it also has the number of frames that hold audio.
            - The error is yielded, not raised. A row fails if its audio has another form, cannot be read, or is shorter
              than one frame.

            A clip that is longer than its feature gets a remark. The threads end with the iteration, or when it is
            closed.

        Raises:
            ForkError: If this process was forked after TensorFlow had run.

        Example:
            >>> first, second = Transform("speech-mel-80").rows(["examples/audio/speech.flac", "gone.wav"])
            >>> first[0].shape, first[1], str(second)
            ((349, 80), 349, "Could not read 'gone.wav': No such file or directory.")
        """
        forks.check()

        def report(number: int, value: Any, remark: Remark) -> None:
            if on_remark is not None:
                on_remark(number, remark)
                return
            path = audio_values.path_of(value)
            warn_about(f"Row {number}" if path is None else repr(path))(remark)

        return row_features.compute(values, self._kernel, self.read_blocks, report)

    def stream(self) -> Stream:
        """Starts the computation of a clip that comes in blocks, for example from a microphone.

        Returns:
            A stream, whose frames have the bits of the feature of the whole clip.

        Raises:
            ArgumentError: If a step of the feature needs the whole clip, such as decibels relative to its maximum. The
                message names the step.
            ForkError: If this process was forked after TensorFlow had run.

        Example:
            >>> from audiopipe import configs
            >>> stream = Transform(configs.LogMel(n_fft=400, hop_length=160, edges="snip")).stream()
            >>> [stream.push(np.zeros(300, "float32")).shape for _ in range(3)]
            [(0, 80, 1), (2, 80, 1), (2, 80, 1)]
        """
        return Stream(self)

    def n_frames(self, lengths: Any) -> Any:
        """Returns the number of frames of clips with `lengths` samples.

        Args:
            lengths: An int, a list, a NumPy array or a tensor.

        Returns:
            The same type as `lengths`, or a NumPy array for a list.
        """
        return self.config.n_frames(np.asarray(lengths, np.int64) if isinstance(lengths, (list, tuple)) else lengths)

    def valid_frames(self, lengths: Any) -> Any:
        """Returns the number of frames that hold audio, for clips with `lengths` samples.

        If the feature neither pads nor cuts clips, these are all frames. Arguments and result are as in `n_frames`.

        Example:
            >>> whisper = Transform("whisper-80")
            >>> whisper.n_frames([8000, 16000]).tolist(), whisper.valid_frames([8000, 16000]).tolist()
            ([3000, 3000], [50, 100])
        """
        lengths = np.asarray(lengths, np.int64) if isinstance(lengths, (list, tuple)) else lengths
        return self.config.valid_frames(lengths)

    def __reduce__(self):
        # The cache of `datasets` is keyed by the pickle. Traced graphs differ in every process, so they are left out.
        # The kernel version is included, so that features of an older version are not read after an upgrade.
        return _restore, (
            type(self),
            self.config,
            self.audio,
            self.feature,
            self.config.kernel_version,
            self.strict,
            self.accept_truncated,
        )

    def __repr__(self) -> str:
        options = "".join(f", {name}=True" for name, is_set in self._options.items() if is_set)
        return f"Transform({self.config!r}, audio={self.audio!r}, feature={self.feature!r}{options})"

    @property
    def _options(self) -> dict[str, bool]:
        return {"strict": self.strict, "accept_truncated": self.accept_truncated}

    @property
    def _kernel(self) -> Kernel:
        with self._lock:
            if self._compiled is None:
                self._compiled = Kernel(self.config)
            return self._compiled

    def _rows(self, values: Any, is_counted: bool, *, writable: bool = True) -> dict[str, list[Any]]:
        counts = count_columns(self.config, beside=self.feature if is_counted else None)
        made = RowColumns(self.feature, counts, writable=writable)
        with contextlib.closing(self.rows(values)) as results:  # which ends its threads, also after an error
            for result in results:
                if isinstance(result, Exception):
                    raise result
                made.add(result)
        return made.columns


def _restore(
    cls: type[Transform],
    config: Config,
    audio: str,
    feature: str,
    kernel_version: int,
    strict: bool,
    accept_truncated: bool = False,  # pickles of the first release lack it
) -> Transform:
    if kernel_version != config.kernel_version:
        raise ArgumentError(
            f"A pickled transform must have the kernel version of this audiopipe. Received: {type(config).__name__} "
            f"with kernel version {kernel_version}; here it has {config.kernel_version} and gives other bits. Use one "
            "version of audiopipe everywhere."
        )
    return cls(config, audio=audio, feature=feature, strict=strict, accept_truncated=accept_truncated)


dataset_maps.register()
