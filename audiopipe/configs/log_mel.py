"""Log-mel spectrograms of every front end, described by one flat list of arguments."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.configs.data_formats import fixed_data_formats
from audiopipe.signal import filterbanks, log_mel
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import at_most, wide


@dataclass(frozen=True, kw_only=True)
class LogMel(Config):
    """Config of `audiopipe.composed.get_log_mel_layer`. Its fields are the function's arguments.

    The fields are in the order of the computation: clip length, samples, frames, spectrum, mel bands, logarithm,
    normalization and rows. Each says what librosa, torchaudio and Kaldi call it. "Kaldi" stands for the options of
    `compute-fbank-feats`, of `torchaudio.compliance.kaldi.fbank` and of kaldi-native-fbank.

    `Config` describes `channels`, `channel`, `decoder`, `resampler` and `resampler_quality`.

    Args:
        sample_rate: Sample rate in hertz. librosa: `sr`. torchaudio: `sample_rate`. Kaldi: `sample_frequency`.
        clip_seconds: Length that clips get before anything else, in seconds: a whole number of samples. None keeps the
            length of each clip. CLAP of transformers: `max_length_s`.
        short_clips: What fills clips shorter than `clip_seconds`: `"pad"` (zeros at the end) or `"repeat"` (whole
            repetitions of the clip, then zeros; CLAP: `padding="repeatpad"`). None means `"pad"` with `clip_seconds`.
        long_clips: What happens to clips longer than `clip_seconds`: `"cut"` drops the end, `"error"` makes them
            failures. None means `"cut"` with `clip_seconds`. CLAP: `truncation`.
        gain: Factor on the samples: 32768 for front ends that expect the range of 16-bit integers, as Kaldi does. It is
            at most 2^31, the range of 32-bit integers, and at least 2^-31.
        preemphasis: Coefficient of the pre-emphasis, at least 0 and less than 1. 0 means none. Kaldi:
            `preemphasis_coefficient`. librosa: `coef` of `effects.preemphasis`. NeMo: `preemph`.
        preemphasis_of: `"waveform"` filters the clip and keeps its first sample (NeMo, and librosa with `zi=[0]`).
            `"frame"` filters each frame, whose first sample is multiplied by `1 - preemphasis` (Kaldi, HTK). None means
            `"frame"` if there is pre-emphasis.
        n_fft: Length of the Fourier transform, in samples. librosa, torchaudio: `n_fft`. Kaldi: the next power of two
            with `round_to_power_of_two`, otherwise the frame length.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`. librosa, torchaudio:
            `win_length`. Kaldi: `frame_length`, in milliseconds.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`, but at least 1. librosa,
            torchaudio: `hop_length`. Kaldi: `frame_shift`, in milliseconds.
        window: `"hann"`, `"hamming"`, `"povey"`, `"blackman"` or `"rectangular"`. librosa: `window`. torchaudio:
            `window_fn`. Kaldi: `window_type`, `"hanning"` for `"hann"`.
        periodic: Whether the window is periodic instead of symmetric. None means True, but False for `"povey"` and
            `"rectangular"`, which have no periodic form. librosa: `fftbins`. torch: `periodic`. Kaldi's windows are
            symmetric: set False for its `"hanning"`, `"hamming"` and `"blackman"`.
        frame_length: Number of samples that a frame needs, at least `win_length`. None means `n_fft` if the window is
            centred in the frame, otherwise `win_length`. librosa and torchaudio frame `n_fft` samples, Kaldi and
            `tf.signal` frame `win_length`.
        window_position: Where the window lies in the frame: `"start"` or `"center"`. None means `"start"` for
            Kaldi's edges, `"snip"` and `"midpoint"`, otherwise `"center"`. librosa and torchaudio: always `"center"`.
        edges: How frames meet the ends of a clip. `"snip"` takes only frames within the clip (Kaldi:
            `snip_edges=True`; librosa and torchaudio: `center=False`). `"center"` centres frame `t` at the sample
            `t * hop_length` (librosa and torchaudio: `center=True`). `"same"` extends the clip by
            `(frame_length - hop_length) // 2` samples on both sides (HiFi-GAN, UnivNet, Vocos: `"same"`). `"midpoint"`
            centres a frame in the middle of each hop (Kaldi: `snip_edges=False`).
        pad_mode: What extends a clip at its ends, by the names of `numpy.pad`: `"constant"` (zeros), `"reflect"` or
            `"symmetric"`. None means `"constant"` for `"center"`, `"reflect"` for `"same"` and `"symmetric"` for
            `"midpoint"`; it must be None for `"snip"`. librosa, torchaudio: `pad_mode`, which is `"reflect"` by default
            in torchaudio and in librosa before 0.10. Kaldi mirrors symmetrically.
        remove_dc_offset: Whether to subtract the mean of each frame before its pre-emphasis. Kaldi: the same name.
        power: 1.0 for magnitudes, 2.0 for powers. librosa, torchaudio: `power`. Kaldi: `use_power`.
        magnitude_offset: Number that is added under the root of magnitudes, `sqrt(re^2 + im^2 + magnitude_offset)`.
            It needs `power=1.0`. UnivNet of transformers: `mel_floor`.
        n_mels: Number of mel bands. librosa, torchaudio: `n_mels`. Kaldi: `num_mel_bins`.
        f_min: Lowest frequency of the bands, in hertz. librosa: `fmin`. torchaudio: `f_min`. Kaldi: `low_freq`.
        f_max: Highest frequency, in hertz. None means half the sample rate. librosa: `fmax`. torchaudio: `f_max`.
            Kaldi: `high_freq`, which counts from half the sample rate if it is not positive.
        mel_scale: `"htk"` or `"slaney"`. librosa: `htk=True` or `False`. torchaudio: `mel_scale`. Kaldi's scale is
            HTK's.
        mel_norm: `"slaney"` gives all bands the same area, None the same peak. librosa, torchaudio: `norm`.
            Kaldi's bands have the same peak.
        mel_triangles: Where the sides of the bands are straight lines: over `"hertz"` (librosa, torchaudio) or over
            `"mel"` (Kaldi, `tf.signal`; transformers: `triangularize_in_mel_space`).
        log: `"ln"`, `"log10"`, `"db"` (`10 * log10`, of powers) or None. Kaldi: `use_log_fbank`, natural. librosa:
            `power_to_db`. torchaudio: `AmplitudeToDB`.
        log_floor: Smaller mel values are raised to it before the logarithm. None means 1e-10 if there is a logarithm
            and no `log_offset`. librosa, torchaudio: `amin`. Kaldi: float32's epsilon, `2.0**-23`. transformers:
            `mel_floor`.
        log_factor: Factor on the mel values in the logarithm, `log(log_factor * x + log_offset)`. musicnn: 10000.
        log_offset: Number that is added to the mel values in the logarithm. NeMo: `log_zero_guard_value`, 2^-24.
        top_db: Values more than this below the maximum of the clip are raised to that limit. It needs `log="db"`.
            librosa, torchaudio: `top_db`. None means no limit.
        normalization: `"clip"` subtracts the mean of each bin over the frames of the clip, and divides by its standard
            deviation. NeMo: `normalize="per_feature"`. Kaldi: `apply-cmvn --norm-vars`. None means no normalization.
        ddof: 1 divides the sum of squares by the number of frames minus 1, 0 by the number of frames. NumPy: `ddof`.
            torch: `correction`.
        std_epsilon: Number that is added to the standard deviation. NeMo: 1e-5.
        variance_epsilon: Number that is added to the variance, under the root. SeamlessM4T: 1e-7.
        center_value: Number that is subtracted from the feature: a mean over the training data. AST: `mean`.
        scale_value: Number that the difference is divided by. AST: `2 * std`.
        stack_frames: Number of neighbouring frames that become one row of `stack_frames * n_mels` bins. SeamlessM4T:
            `stride`. `padding_value` fills up the last row.
        fixed_frames: Number of rows that each clip gets: the end is cut off or padded. None keeps all rows. AST:
            `max_length`.
        masked_frames: Number of frames at the end of each clip that count as padding and hold it. NeMo and Parakeet
            compute one more frame than they call valid: 1.
        padding_value: Value of padding before `center_value` and `scale_value`. None means silence. AST, SeamlessM4T
            and NeMo: 0.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.

    Raises:
        ConfigError: If a field is out of range or contradicts another one. The message says what to change.

    Example:
        >>> from audiopipe import registry
        >>> kaldi = LogMel(
        ...     win_length=400, hop_length=160, edges="snip", window="povey", remove_dc_offset=True, preemphasis=0.97,
        ...     f_min=20.0, mel_triangles="mel", log_floor=2.0**-23,
        ... )
        >>> kaldi == registry.get("kaldi-fbank-80")
        True
        >>> kaldi.n_frames(16000), kaldi.preemphasis_of, kaldi.f_max
        (98, 'frame', 8000.0)
        >>> print(LogMel().diff(LogMel(n_fft=400, hop_length=160)))
        frame_length: 512 != 400
        hop_length: 128 != 160
        n_fft: 512 != 400
        win_length: 512 != 400
    """

    composed: ClassVar[str] = "get_log_mel_layer"

    sample_rate: int = 16000
    clip_seconds: float | None = None
    short_clips: str | None = None
    long_clips: str | None = None
    gain: float = 1.0
    preemphasis: float = 0.0
    preemphasis_of: str | None = None
    n_fft: int = 512
    win_length: int | None = None
    hop_length: int | None = None
    window: str = "hann"
    periodic: bool | None = None
    frame_length: int | None = None
    window_position: str | None = None
    edges: str = "center"
    pad_mode: str | None = None
    remove_dc_offset: bool = False
    power: float = 2.0
    magnitude_offset: float = 0.0
    n_mels: int = 80
    f_min: float = 0.0
    f_max: float | None = None
    mel_scale: str = "htk"
    mel_norm: str | None = None
    mel_triangles: str = "hertz"
    log: str | None = "ln"
    log_floor: float | None = None
    log_factor: float = 1.0
    log_offset: float = 0.0
    top_db: float | None = None
    normalization: str | None = None
    ddof: int = 0
    std_epsilon: float = 0.0
    variance_epsilon: float = 0.0
    center_value: float = 0.0
    scale_value: float = 1.0
    stack_frames: int = 1
    fixed_frames: int | None = None
    masked_frames: int = 0
    padding_value: float | None = None
    input_data_format: str = "default"
    output_data_format: str = "default"

    def _checked(self) -> dict[str, Any]:
        checked = super()._checked()
        checked.update(self._resolved(checked))
        checked.update(fixed_data_formats(self))
        return checked

    def _resolved(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Checks the arguments of the layer, and returns them with values for those that are None."""
        return log_mel.resolve(fields)

    def _layer_options(self) -> dict[str, Any]:
        from audiopipe.configs import presets  # they are configs of this class

        return {"warn_of_empty_bands": not presets.has_published_bands(self)}

    @property
    def quantities(self) -> tuple[str, ...]:
        name = "power" if self.power == 2 else "magnitude"
        if self.log is not None:
            name = "decibel" if self.log == log_mel.DECIBEL else f"log {name}"
        return (f"normalized {name}" if self._is_normalized else name,)

    @property
    def decibels_per_unit(self) -> float | None:
        if self.quantities not in (("log power",), ("log magnitude",)):
            return super().decibels_per_unit
        of_decade = 20.0 / self.power
        return of_decade / math.log(10) if self.log == log_mel.NATURAL else of_decade

    @property
    def _is_normalized(self) -> bool:
        return (self.normalization, self.center_value, self.scale_value) != (None, 0.0, 1.0)

    @property
    def framing(self) -> EdgeFraming | None:
        return None if self.clip_seconds is not None else self._edge_framing

    @functools.cached_property
    def _edge_framing(self) -> EdgeFraming:
        return log_mel.edge_framing(vars(self))

    @property
    def _clip_samples(self) -> int | None:
        """Number of samples that each clip gets, or None."""
        return None if self.clip_seconds is None else log_mel.clip_samples(self.clip_seconds, self.sample_rate)

    def n_frames(self, n_samples: Any) -> Any:
        """Returns the number of rows of the feature of a clip.

        Example:
            >>> [LogMel(n_fft=400, hop_length=160, stack_frames=count).n_frames(16000) for count in (1, 2)]
            [101, 51]
        """
        n_samples = wide(n_samples)
        if self.fixed_frames is not None:
            return 0 * n_samples + self.fixed_frames
        return -(-(self._unmasked(n_samples) + self.masked_frames) // self.stack_frames)

    def _unmasked(self, n_samples: Any) -> Any:
        """Returns the number of frames before rows are stacked, without those that count as padding."""
        samples = n_samples if self._clip_samples is None else 0 * n_samples + self._clip_samples
        frames = self._edge_framing.n_frames(samples) - self.masked_frames
        return (frames + abs(frames)) // 2

    def valid_frames(self, n_samples: Any) -> Any:
        """Returns the number of rows that hold only audio.

        They are the rows without `masked_frames`, without the padding of `fixed_frames`, and without a last row that
        `stack_frames` filled up. If zeros extend a clip to `clip_seconds`, they are the frames that the clip would have
        without these zeros.

        Example:
            >>> LogMel(n_fft=400, hop_length=160, stack_frames=2).valid_frames(16000)
            50
            >>> LogMel(n_fft=400, hop_length=160, fixed_frames=200).valid_frames(16000)
            101
        """
        n_samples = wide(n_samples)
        frames = self._unmasked(n_samples)
        if self.short_clips == "pad" and self._clip_samples is not None:
            alone = self._edge_framing.n_frames(at_most(n_samples, self._clip_samples))
            frames = at_most(alone - frames, 0) + frames
        rows = frames // self.stack_frames
        return rows if self.fixed_frames is None else at_most(rows, self.fixed_frames)

    @property
    def pads_clips(self) -> bool:
        adds_rows = self.fixed_frames is not None or self.masked_frames > 0 or self.stack_frames > 1
        return adds_rows or self.short_clips == "pad"

    def kept_samples(self, n_samples: Any) -> Any:
        """Returns the number of samples of a clip that the feature covers: those of `clip_seconds` or `fixed_frames`.

        Example:
            >>> [LogMel(clip_seconds=seconds).kept_samples(20000) for seconds in (1, 2)]
            [16000, 20000]
        """
        if self._clip_samples is not None:
            n_samples = at_most(wide(n_samples), self._clip_samples)
        if self.fixed_frames is not None:
            longest = self._edge_framing.most_samples(self.fixed_frames * self.stack_frames)
            n_samples = at_most(wide(n_samples), longest)
        return n_samples

    @property
    def max_samples(self) -> int | None:
        return self._clip_samples if self.long_clips == "error" else None

    @functools.cached_property
    def padding(self) -> float | np.ndarray:
        """Value of frames beyond a clip's end: `padding_value` after the affine step, or else silence."""
        padding = log_mel.padding(vars(self))
        return self.silence if padding is None else padding

    def frame_times(self, n_frames: int) -> np.ndarray:
        """Returns the start of each row's first window in seconds: float64 `[n_frames]`, negative before the clip."""
        framing = self._edge_framing
        return (np.arange(n_frames) * framing.hop_length * self.stack_frames - framing.before) / self.sample_rate

    def frame_centres(self, n_frames: int) -> np.ndarray:
        """Returns the centre of each row's windows in seconds: float64 `[n_frames]`, evenly spaced."""
        framing = self._edge_framing
        # The first sample of a periodic window has no counterpart.
        centre = framing.win_length / 2 if self.periodic else (framing.win_length - 1) / 2
        centre += (self.stack_frames - 1) * framing.hop_length / 2
        return self.frame_times(n_frames) + centre / self.sample_rate

    @functools.cached_property
    def n_bins(self) -> int:
        return self.n_mels * self.stack_frames

    def frequencies(self) -> np.ndarray:
        """Returns the centre of each bin, in hertz: float64 `[bins]`, the bands of each stacked frame in turn."""
        f_max = self.sample_rate / 2 if self.f_max is None else self.f_max
        edges = filterbanks.mel_edges(self.n_mels, self.f_min, f_max, htk=self.mel_scale == "htk")
        return np.tile(edges[1:-1], self.stack_frames)
