"""Extractors of transformers for speech synthesis: SpeechT5 and UnivNet.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/speecht5/feature_extraction_speecht5.py
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/univnet/feature_extraction_univnet.py
"""

import math

from audiopipe.configs.extractors.settings import MAX_BINS, MAX_SAMPLES, MAX_SECONDS, Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST
from audiopipe.configs.presets.vocoders import HIFIGAN
from audiopipe.errors import ConfigError

# `window_function` of
# https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/audio_utils.py. Its periodic povey window is
# nowhere else.
_WINDOWS = {
    "hann_window": "hann",
    "hann": "hann",
    "hamming_window": "hamming",
    "hamming": "hamming",
    "boxcar": "rectangular",
}

_OWN = {
    "sample_rate": "sampling_rate",
    "n_mels": "num_mel_bins",
    "f_min": "fmin",
    "f_max": "fmax",
    "window": "win_function",
}
_OWN_OF_UNIVNET = _OWN | {
    "n_fft": "filter_length",
    "magnitude_offset": "mel_floor",
    "log_floor": "compression_clip_val",
    "log_factor": "compression_factor",
    "center_value": "(normalize_min + normalize_max) / 2",
    "scale_value": "(normalize_max - normalize_min) / 2",
}


def speecht5(settings: Settings) -> LogMel:
    """SpeechT5's log-mel spectrogram, which the extractor computes of `audio_target`.

    What it computes of `audio` is the waveform, which `do_normalize` normalizes; the config has nothing of that. At the
    call only: `padding`, `max_length` and `truncation` change the number of frames.
    """
    settings.ignore(("feature_size", "do_normalize", "mel_filters", "reduction_factor", "frame_signal_scale"))
    rate = settings.sample_rate(16000, even=True)
    win_length, hop_length = (_milliseconds(settings, *item, rate) for item in (("win_length", 64), ("hop_length", 16)))
    n_fft = 2 ** math.ceil(math.log2(win_length))
    low, high = settings.band("fmin", 80, "fmax", 7600, rate)
    for name, value in (
        ("sample_size", win_length),
        ("sample_stride", hop_length),
        ("n_fft", n_fft),
        ("n_freqs", n_fft // 2 + 1),
    ):
        settings.derived(name, value)
    return settings.config(
        LogMel,
        _OWN | {"log_floor": "mel_floor"},
        sample_rate=rate,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window=_window(settings),
        frame_length=win_length,
        edges="center",
        pad_mode="reflect",
        power=1.0,
        n_mels=settings.integer("num_mel_bins", 80, maximum=MAX_BINS),
        f_min=low,
        f_max=high,
        mel_scale="slaney",
        mel_norm="slaney",
        log="log10",
        log_floor=settings.real("mel_floor", 1e-10, above=0),
        padding_value=settings.real("padding_value", 0.0),
        **CHANNELS_LAST,
    )


def univnet(settings: Settings) -> LogMel:
    """UnivNet's log-mel spectrogram.

    The extractor also returns noise, which is no feature. At the call only: it cuts audio at `max_length_s` seconds and
    pads the shorter clips of a batch with silence, `pad_end=True` appends silence to each clip, and `do_normalize`
    replaces the setting.
    """
    settings.ignore(("feature_size", "mel_filters", "model_in_channels", "pad_end_length"))
    settings.only("padding_value", 0.0, "config.padding is silence, as the models were trained with.")
    settings.only("center", False, "The extractor would extend each clip twice. Set it to False.")
    rate = settings.sample_rate(24000, even=True)
    win_length = settings.integer("win_length", 1024, minimum=2)
    n_fft = settings.optional("filter_length", 1024, settings.even) or 2 ** math.ceil(math.log2(win_length))
    if n_fft != win_length:
        raise ConfigError(
            f"{settings.place}: win_length must equal the length of the transform, or the extractor raises an error "
            f"itself. Received: win_length={win_length}, filter_length={n_fft}. Set both to one value."
        )
    hop_length = settings.integer("hop_length", 256, maximum=n_fft)
    seconds = settings.real("max_length_s", 10, above=0, maximum=MAX_SECONDS)
    low, high = settings.band("fmin", 0.0, "fmax", None, rate)
    for name, value in (("n_fft", n_fft), ("n_freqs", n_fft // 2 + 1), ("num_max_samples", round(seconds * rate))):
        settings.derived(name, value)
    center, scale = _tacotron_range(settings)
    if not settings.boolean("do_normalize", False):
        center, scale = 0.0, 1.0
    return settings.config(
        LogMel,
        _OWN_OF_UNIVNET,
        **HIFIGAN
        | {
            "sample_rate": rate,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "window": _window(settings),
            "magnitude_offset": settings.real("mel_floor", 1e-9, minimum=0),
            "n_mels": settings.integer("num_mel_bins", 100, maximum=MAX_BINS),
            "f_min": low,
            "f_max": high,
            "log_floor": settings.real("compression_clip_val", 1e-5, above=0),
            "log_factor": settings.real("compression_factor", 1.0, above=0),
            "center_value": center,
            "scale_value": scale,
        },
    )


def _window(settings: Settings) -> str:
    settings.ignore(("window",))
    return _WINDOWS[settings.choice("win_function", "hann_window", tuple(_WINDOWS))]


def _milliseconds(settings: Settings, name: str, default: int, rate: int) -> int:
    """Returns a length that is given in milliseconds, in samples."""
    milliseconds = settings.integer(name, default)
    samples = milliseconds * rate // 1000
    if not 2 <= samples <= MAX_SAMPLES:
        raise ConfigError(
            f"{settings.place}: {name} is in milliseconds and must be 2 to {MAX_SAMPLES} samples long. Received: "
            f"{name}={milliseconds}, which is {samples} samples at {rate} Hz."
        )
    return samples


def _tacotron_range(settings: Settings) -> tuple[float, float]:
    """Returns centre and half the width of the range that `normalize` maps to -1 .. 1."""
    low = settings.real("normalize_min", -11.512925148010254)
    high = settings.real("normalize_max", 2.3143386840820312, above=low)
    return (low + high) / 2, (high - low) / 2
