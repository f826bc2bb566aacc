"""Hypothesis strategies for the invariance tests: pinned and free configs, and clips."""

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from hypothesis import reject, settings
from hypothesis import strategies as st

from audiopipe import Statistics, Transform
from audiopipe.audio import conversion
from audiopipe.configs import (
    Config,
    KerasMelSpectrogram,
    LogFrequencySpectrogram,
    LogMel,
    MelSpectrogram,
    Mfcc,
    NormalizedWaveform,
    Stft,
    StftMagnitude,
    StftMagPhase,
    WhisperLogMel,
)
from audiopipe.errors import ConfigError
from audiopipe.signal.edges import EDGES, PAD_MODES
from audiopipe.signal.windows import WINDOW_NAMES

FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
RATE = {"sample_rate": 8000}
MAX_SAMPLES = 3000
MAX_CLIPS = 5

KALDI = {"remove_dc_offset": True, "preemphasis": 0.97, "mel_triangles": "mel", "f_min": 20.0, "gain": 32768.0}
NEMO = {"log_offset": 2.0**-24, "normalization": "clip", "std_epsilon": 1e-5, "masked_frames": 1, "padding_value": 0.0}


def _normalized(*bases: Config) -> list[Config]:
    """Returns each config twice: normalized for each bin, and by one number for each quantity."""
    made = []
    for base in bases:
        shape = base.n_bins, len(base.quantities)
        statistics = Statistics(mean=np.linspace(-9, 7, np.prod(shape)).reshape(shape), std=np.full(shape, 5.3))
        made += [base.normalized(statistics, per) for per in ("bin", "global")]
    return made


# Awkward sizes on purpose: transforms of odd, prime and power-of-two lengths and of one and two samples, numbers of
# bins that do not fill SIMD registers, single bins, hops that do not divide the frame, and hops that skip samples.
POOL: list[Config] = [
    StftMagnitude(**RATE, n_fft=256, hop_length=100, return_decibel=True),
    StftMagnitude(**RATE, n_fft=509, win_length=400, hop_length=160, channels=None, return_decibel=True),
    StftMagnitude(**RATE, n_fft=67, hop_length=100, channels=2, pad_begin=True, pad_end=True),
    StftMagnitude(**RATE, n_fft=1, hop_length=1, return_decibel=True, db_dynamic_range=20.0),
    StftMagnitude(**RATE, n_fft=2, hop_length=3, channels=None, pad_end=True, **FIRST),
    StftMagnitude(**RATE, n_fft=1024, window_name="vorbis_window", pad_begin=True, return_decibel=True),
    StftMagnitude(**RATE, n_fft=400, hop_length=37, window_name="kaiser_window", channels=2, **FIRST),
    StftMagnitude(**RATE, n_fft=30, hop_length=7, return_decibel=True, db_amin=1e-30, db_dynamic_range=250.0),
    MelSpectrogram(**RATE, n_fft=400, hop_length=160, n_mels=80, return_decibel=True),
    MelSpectrogram(**RATE, n_fft=512, hop_length=128, n_mels=77, channels=None, return_decibel=True),
    MelSpectrogram(**RATE, n_fft=301, hop_length=99, n_mels=1, channels=2, mel_norm=None),
    MelSpectrogram(**RATE, n_fft=256, win_length=200, n_mels=13, mel_htk=True, pad_end=True, **FIRST),
    MelSpectrogram(**RATE, n_fft=1024, hop_length=2000, n_mels=33, channels=None, return_decibel=True, **FIRST),
    MelSpectrogram(**RATE, n_fft=2048, hop_length=512, n_mels=128, pad_begin=True, mel_norm=2.0),
    LogFrequencySpectrogram(**RATE, n_fft=4096, hop_length=500, log_n_bins=60, pad_end=True, return_decibel=True),
    LogFrequencySpectrogram(**RATE, n_fft=1024, log_f_min=110.0, log_n_bins=61, channels=None, **FIRST),
    LogFrequencySpectrogram(
        **RATE, n_fft=521, hop_length=70, log_f_min=300.0, log_n_bins=31, log_spread=0.5, return_decibel=True
    ),
    LogFrequencySpectrogram(
        **RATE, n_fft=512, log_f_min=500.0, log_n_bins=1, channels=2, log_spread=2.0, pad_begin=True
    ),
    KerasMelSpectrogram(**RATE, fft_length=256, sequence_stride=100, num_mel_bins=40),
    KerasMelSpectrogram(**RATE, fft_length=401, sequence_stride=77, num_mel_bins=37, channels=None, mag_exp=1.0),
    KerasMelSpectrogram(
        **RATE, fft_length=512, sequence_length=400, sequence_stride=160, num_mel_bins=81, mag_exp=1.7, **FIRST
    ),
    KerasMelSpectrogram(
        **RATE, fft_length=129, sequence_stride=50, num_mel_bins=5, power_to_db=False, window=None, channels=2
    ),
    KerasMelSpectrogram(
        **RATE, fft_length=7, sequence_length=3, sequence_stride=4, num_mel_bins=2, window=(0.5, 1.0, 0.25)
    ),
    KerasMelSpectrogram(**RATE, fft_length=128, sequence_stride=64, num_mel_bins=20, power_to_db=False, mag_exp=3),
    WhisperLogMel(chunk_seconds=0.13),
    WhisperLogMel(n_mels=33, chunk_seconds=0.5, channels=None, **FIRST),
    WhisperLogMel(n_mels=128, chunk_seconds=None, channels=2),
    Stft(**RATE, n_fft=256, hop_length=150),
    Stft(**RATE, n_fft=251, win_length=200, hop_length=33, channels=None, **FIRST),
    Stft(**RATE, n_fft=24, hop_length=24, channels=2, pad_begin=True, pad_end=True),
    StftMagPhase(**RATE, n_fft=256, hop_length=150),
    StftMagPhase(**RATE, n_fft=127, win_length=101, hop_length=40, channels=None, return_decibel=True),
    StftMagPhase(**RATE, n_fft=400, hop_length=160, channels=2, pad_end=True, return_decibel=True, **FIRST),
    StftMagPhase(**RATE, n_fft=3, hop_length=2, pad_begin=True, window_name="hamming_window"),
    LogMel(**RATE, n_fft=256, win_length=200, hop_length=80, edges="snip", window="povey", periodic=False, **KALDI),
    LogMel(**RATE, n_fft=256, hop_length=80, pad_mode="reflect", n_mels=37, log="db", top_db=40.0, channels=None),
    LogMel(**RATE, n_fft=301, win_length=250, hop_length=77, edges="midpoint", n_mels=11, channels=2, **KALDI, **FIRST),
    LogMel(
        **RATE, n_fft=512, hop_length=128, edges="same", power=1.0, magnitude_offset=1e-9, n_mels=41, fixed_frames=9
    ),
    LogMel(**RATE, n_fft=256, hop_length=80, preemphasis=0.97, preemphasis_of="waveform", n_mels=40, **NEMO),
    LogMel(
        **RATE,
        n_fft=200,
        hop_length=80,
        edges="snip",
        n_mels=23,
        normalization="clip",
        ddof=1,
        stack_frames=2,
        padding_value=0.0,
        center_value=-4.0,
        scale_value=9.0,
        channels=None,
    ),
    LogMel(
        **RATE,
        n_fft=128,
        hop_length=60,
        n_mels=19,
        clip_seconds=0.2,
        short_clips="repeat",
        log_factor=1e4,
        log_offset=1.0,
        log="log10",
    ),
    Mfcc(**RATE, n_fft=256, hop_length=80, n_mels=40, n_mfcc=13, lifter=22.0, deltas=2, channels=None),
    Mfcc(**RATE, n_fft=255, hop_length=90, n_mels=29, log="db", top_db=60.0, normalization="clip", fixed_frames=12),
    NormalizedWaveform(**RATE, channels=None),
    NormalizedWaveform(variance_epsilon=0.0),
    *_normalized(
        MelSpectrogram(**RATE, n_fft=256, hop_length=100, n_mels=29, return_decibel=True, channels=None),
        StftMagPhase(**RATE, n_fft=61, hop_length=40, channels=2, return_decibel=True, **FIRST),
        LogMel(**RATE, n_fft=200, hop_length=80, n_mels=23, fixed_frames=9, center_value=-4.0, scale_value=9.0),
    ),
]


def _content(kind: str, noise: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    samples = noise.uniform(-1, 1, shape)
    if kind in SCALES:
        return samples * SCALES[kind]
    if kind == "sparse":
        return np.where(noise.random(shape) < 0.01, samples, 0.0)
    if kind == "dc":
        return np.full(shape, samples[:1].sum(initial=0.0))
    if kind == "square":
        return np.sign(np.sin(np.arange(shape[0])[:, None] * noise.uniform(0.01, 3) + np.arange(shape[1])))
    if kind == "half silent":
        return np.where(np.arange(shape[0])[:, None] < shape[0] // 2, samples, 0.0)
    if kind == "every size":
        return samples * np.exp2(noise.integers(-148, 8, shape))
    return np.where(noise.random(shape) < 0.002, noise.choice([np.nan, np.inf, -np.inf], shape), samples)


# Factors of uniform noise. Squares become subnormal for samples below 1e-19, samples themselves below 1.2e-38.
SCALES = {
    "noise": 1.0,
    "silence": 0.0,
    "quiet": 1e-4,
    "loud": 1e6,
    "tiny": 1e-20,
    "smallest": 3e-38,
    "subnormal": 1e-39,
}
CONTENTS = (*SCALES, "sparse", "dc", "square", "half silent", "every size", "not finite")


@dataclass(frozen=True)
class Clip:
    """Recipe of a clip, short enough to be printed by a failing test.

    Args:
        content: One of `CONTENTS`.
        length: Number of samples.
        channels: Number of channels.
        seed: Seed of the noise.
    """

    content: str
    length: int
    channels: int = 1
    seed: int = 0

    def samples(self) -> np.ndarray:
        """Returns the samples, float32 `[time, channels]`."""
        noise = np.random.default_rng(self.seed)
        return _content(self.content, noise, (self.length, self.channels)).astype(np.float32)


@functools.lru_cache(maxsize=64)
def transform(config: Config) -> Transform:
    """Returns the transform of a config. It is cached because tracing takes some tenths of a second."""
    return Transform(config)


@functools.lru_cache(maxsize=64)
def layer(config: Config):
    """Returns the composed layer of a config."""
    return config.layer()


@functools.lru_cache(maxsize=64)
def graph_of_layer(config: Config):
    """Returns the composed layer of a config in a `tf.function`."""
    return tf.function(layer(config), reduce_retracing=True)


@functools.lru_cache(maxsize=64)
def graph_of_transform(config: Config):
    """Returns the transform of a config in a `tf.function`."""
    return tf.function(transform(config), reduce_retracing=True)


def as_layer_input(config: Config, clips: list[np.ndarray]) -> tf.Tensor:
    """Returns clips as the batch that a model would pass to the composed layer, which does not mix channels down."""
    batch = np.stack([conversion.mix_down(clip) for clip in clips] if config.channels == 1 else clips)
    return tf.constant(batch.transpose(0, 2, 1) if config.input_data_format == "channels_first" else batch)


def pinned_or_free_configs() -> st.SearchStrategy[Config]:
    """Draws configs from the pool, and from all others under the profile `deep`. Each other config costs a trace."""
    pinned = st.sampled_from(POOL)
    deep = settings.get_current_profile_name() == "deep"
    return st.one_of(pinned, pinned, pinned, _free_configs()) if deep else pinned


@st.composite
def _free_configs(draw) -> Config:
    cls = draw(st.sampled_from(sorted({type(config) for config in POOL}, key=lambda cls: cls.__name__)))
    if cls is NormalizedWaveform:
        return cls(channels=draw(st.sampled_from([None, 1, 2])), variance_epsilon=draw(st.floats(0.0, 1.0)))
    formats = st.sampled_from(["channels_last", "channels_first"])
    fields = {
        "sample_rate": draw(st.sampled_from([8000, 16000, 22050])),
        "channels": draw(st.sampled_from([None, 1, 1, 2, 3])),
        "input_data_format": draw(formats),
        "output_data_format": draw(formats),
    }
    if cls is WhisperLogMel:
        fields |= {
            "sample_rate": 16000,
            "n_mels": draw(st.integers(1, 140)),
            "chunk_seconds": draw(st.none() | st.integers(1, 40).map(lambda frames: frames / 100)),
        }
    elif cls is KerasMelSpectrogram:
        fields |= {
            "fft_length": draw(st.integers(1, 700)),
            "sequence_stride": draw(st.integers(1, 400)),
            "window": draw(st.sampled_from(["hann", "hamming", None])),
            "num_mel_bins": draw(st.integers(1, 100)),
            "power_to_db": draw(st.booleans()),
            "mag_exp": draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]) | st.floats(0.25, 4.0)),
            "top_db": draw(st.floats(1.0, 200.0)),
        }
        fields["sequence_length"] = draw(st.none() | st.integers(1, fields["fft_length"]))
    elif issubclass(cls, LogMel):
        fields |= _free_log_mel_fields(draw) | {"n_mfcc": draw(st.integers(1, 20)), "deltas": draw(st.integers(0, 2))}
        for name in () if cls is Mfcc else ("n_mfcc", "deltas"):
            del fields[name]
    else:
        fields["n_fft"] = draw(st.integers(1, 700) | st.sampled_from([256, 400, 512, 1024, 2048]))
        fields |= {
            "win_length": draw(st.none() | st.integers(1, fields["n_fft"])),
            "hop_length": draw(st.none() | st.integers(1, 400)),
            "window_name": draw(st.sampled_from(WINDOW_NAMES)),
            "pad_begin": draw(st.booleans()),
            "pad_end": draw(st.booleans()),
        }
        # A long transform with a hop of a few samples gives features of several megabytes and tests nothing new.
        fields["hop_length"] = fields["hop_length"] and max(fields["hop_length"], fields["n_fft"] // 20)
    if cls not in (Stft, KerasMelSpectrogram, WhisperLogMel, LogMel, Mfcc):
        fields |= {"return_decibel": draw(st.booleans()), "db_dynamic_range": draw(st.floats(1.0, 200.0))}
    if cls is MelSpectrogram:
        fields |= {
            "n_mels": draw(st.integers(1, 140)),
            "mel_htk": draw(st.booleans()),
            "mel_norm": draw(st.sampled_from(["slaney", None, 1.0, "inf"])),
        }
    if cls is LogFrequencySpectrogram:
        fields |= {
            "log_n_bins": draw(st.integers(1, 84)),
            "log_f_min": draw(st.floats(100.0, 1000.0)),
            "log_bins_per_octave": draw(st.integers(12, 36)),
            "log_spread": draw(st.floats(0.5, 3.0)),
        }
    try:
        return cls(**fields)
    except ConfigError:  # for example a window that needs an even length, or filters above half the sample rate
        return reject()


def _free_log_mel_fields(draw) -> dict:
    edges = draw(st.sampled_from(EDGES))
    log = draw(st.sampled_from(["ln", "log10", "db"]))
    return {
        "n_fft": draw(st.integers(3, 700) | st.sampled_from([256, 400, 512])),
        "hop_length": draw(st.integers(30, 300)),
        "window": draw(st.sampled_from(["hann", "hamming", "povey", "blackman", "rectangular"])),
        "edges": edges,
        "pad_mode": None if edges == "snip" else draw(st.sampled_from(PAD_MODES)),
        "gain": draw(st.sampled_from([1.0, 32768.0])),
        "preemphasis": (preemphasis := draw(st.sampled_from([0.0, 0.97]))),
        "preemphasis_of": draw(st.sampled_from(["frame", "waveform"])) if preemphasis else None,
        "remove_dc_offset": draw(st.booleans()),
        "n_mels": draw(st.integers(20, 140)),
        "mel_scale": draw(st.sampled_from(["htk", "slaney"])),
        "mel_triangles": draw(st.sampled_from(["hertz", "mel"])),
        "log": log,
        "top_db": draw(st.none() | st.floats(1.0, 100.0)) if log == "db" else None,
        "normalization": draw(st.sampled_from([None, "clip"])),
        "center_value": draw(st.sampled_from([0.0, 3.0])),
        "stack_frames": draw(st.integers(1, 3)),
        "fixed_frames": draw(st.none() | st.integers(1, 30)),
        "masked_frames": draw(st.integers(0, 2)),
        "padding_value": draw(st.none() | st.floats(-1.0, 1.0)),
    }


@dataclass(frozen=True)
class Trial:
    """Config and the clips to test it with. All clips have the same number of channels.

    Args:
        config: The config.
        clips: The clips.
    """

    config: Config
    clips: tuple[Clip, ...]

    def samples(self) -> list[np.ndarray]:
        return [clip.samples() for clip in self.clips]


@st.composite
def trials(draw, equal_lengths: bool = False, finite: bool = False) -> Trial:
    """Draws a trial.

    Args:
        draw: Passed by hypothesis.
        equal_lengths: Whether all clips have the same length.
        finite: Whether a file can hold the clips: they are not empty and contain neither NaN nor infinity.
    """
    config = draw(pinned_or_free_configs())
    channels = config.channels if config.channels not in (None, 1) else draw(st.sampled_from([1, 2, 3, 5]))
    # More of the short lengths, at which a clip has no frame or one frame.
    lengths = st.integers(int(finite), MAX_SAMPLES) | st.integers(int(finite), 600)
    lengths = st.just(draw(lengths)) if equal_lengths else lengths
    clip = st.builds(
        Clip,
        content=st.sampled_from([content for content in CONTENTS if not (finite and content == "not finite")]),
        length=lengths,
        channels=st.just(channels),
        seed=st.integers(0, 2**32 - 1),
    )
    return Trial(config, tuple(draw(st.lists(clip, min_size=1, max_size=MAX_CLIPS))))
