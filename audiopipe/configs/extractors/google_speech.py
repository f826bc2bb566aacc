"""Extractors of transformers for Google's speech encoders: LASR, Gemma 3n and Gemma 4.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/lasr/feature_extraction_lasr.py
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/gemma3n/feature_extraction_gemma3n.py
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/gemma4/feature_extraction_gemma4.py
"""

import math
from typing import Any

from audiopipe.configs.extractors.settings import MAX_BINS, MAX_SAMPLES, Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST
from audiopipe.errors import ConfigError

_SILENT = "It fills up the waveforms of a batch, and config.padding is silence."
_OWN_OF_GEMMA = {
    "sample_rate": "sampling_rate",
    "gain": "input_scale_factor",
    "n_mels": "feature_size",
    "f_min": "min_frequency",
    "f_max": "max_frequency",
    "log_floor": "mel_floor",
    "log_offset": "mel_floor",
}
_STATISTICS = "Leave it out, and use config.normalized(Statistics(mean=per_bin_mean, std=per_bin_stddev))."


def lasr(settings: Settings) -> LogMel:
    """LASR's log-mel spectrogram.

    At the call only: `padding="max_length"` and `pad_to_multiple_of` append silence, and `truncation=True` cuts long
    clips.
    """
    settings.ignore(("mel_filters",))
    settings.only("padding_value", 0.0, _SILENT)
    rate = settings.sample_rate(16000)
    if rate < 15000:
        raise ConfigError(
            f"{settings.place}: sampling_rate must be at least 15000, because the bands end at 7500 Hz. Received: "
            f"sampling_rate={rate}."
        )
    n_fft = settings.even("n_fft", 512)
    own = {"sample_rate": "sampling_rate", "n_mels": "feature_size"}
    return settings.config(
        LogMel,
        own,
        sample_rate=rate,
        n_fft=n_fft,
        win_length=settings.integer("win_length", 400, minimum=3, maximum=n_fft),
        hop_length=settings.integer("hop_length", 160),
        periodic=False,
        edges="snip",
        power=2.0,
        n_mels=settings.integer("feature_size", 128, maximum=MAX_BINS),
        f_min=125.0,
        f_max=7500.0,
        mel_scale="htk",
        mel_triangles="mel",
        log="ln",
        log_floor=1e-5,
        **CHANNELS_LAST,
    )


def gemma3n(settings: Settings) -> LogMel:
    """Gemma 3n's log-mel spectrogram.

    At the call only: the extractor pads each clip with zeros to a multiple of 128 samples and cuts it at 30 seconds
    (`pad_to_multiple_of=128`, `max_length=480000`). The config does neither, so a clip whose length is no multiple of
    128 may have a frame less.
    """
    settings.only("padding_value", 0.0, _SILENT)
    rate = settings.sample_rate(16000)
    win_length, hop_length = _length(settings, "frame_length", 32.0, rate), _length(settings, "hop_length", 10.0, rate)
    preemphasis = settings.real("preemphasis", 0.97, minimum=0)
    low, high = settings.band("min_frequency", 125.0, "max_frequency", 7600.0, rate)
    return settings.config(
        LogMel,
        _OWN_OF_GEMMA,
        **_shared(settings, rate, win_length, preemphasis, fft_overdrive=True),
        hop_length=hop_length,
        # A frame needs the sample before the one that pre-emphasis of another kind would start with.
        frame_length=win_length + 1,
        window_position="start",
        edges="snip",
        f_min=low,
        f_max=high,
        log_floor=settings.real("mel_floor", 1e-5, above=0),
    )


def gemma4(settings: Settings) -> LogMel:
    """Gemma 4's log-mel spectrogram, whose first frame is centred at the start of the clip.

    The last row is padding and holds 0, as in the extractor, which returns more such rows: at the call, it pads each
    clip with zeros to a multiple of 128 samples. It also cuts a clip at 30 seconds, which the config does not.
    """
    settings.only("padding_value", 0.0, "It fills up the waveforms of a batch, and the rows of padding are 0.")
    rate = settings.sample_rate(16000, even=True)
    win_length, hop_length = _length(settings, "frame_length", 20.0, rate), _length(settings, "hop_length", 10.0, rate)
    if win_length % 2 or win_length // 2 % hop_length:
        raise ConfigError(
            f"{settings.place}: half a frame must be a multiple of the hop, so that the config has whole rows of "
            f"padding. Received: frames of {win_length} and a hop of {hop_length} samples at {rate} Hz. Set "
            "frame_length_ms to a multiple of 2 * hop_length_ms."
        )
    preemphasis = settings.real("preemphasis", 0.0, minimum=0)
    low, high = settings.band("min_frequency", 0.0, "max_frequency", 8000.0, rate)
    return settings.config(
        LogMel,
        _OWN_OF_GEMMA,
        **_shared(settings, rate, win_length, preemphasis, fft_overdrive=False),
        hop_length=hop_length,
        # It extends a clip by half a window of zeros at the start only, and marks as valid the frames that end before
        # the clip does. "center" extends both ends, which gives this many frames more.
        frame_length=win_length + 1,
        window_position="start",
        edges="center",
        pad_mode="constant",
        f_min=low,
        f_max=high,
        log_offset=settings.real("mel_floor", 1e-3, above=0),
        masked_frames=win_length // 2 // hop_length,
        padding_value=0.0,
    )


def _shared(
    settings: Settings, rate: int, win_length: int, preemphasis: float, *, fft_overdrive: bool
) -> dict[str, Any]:
    settings.ignore(("mel_filters", "window"))
    settings.only("per_bin_mean", None, _STATISTICS)
    settings.only("per_bin_stddev", None, _STATISTICS)
    if preemphasis:
        advice = "configs.LogMel has HTK's pre-emphasis of frames, with a first sample of its own. Set it to True."
        settings.only("preemphasis_htk_flavor", True, advice)
    settings.ignore(("preemphasis_htk_flavor",))
    n_fft = 2 ** math.ceil(math.log2(win_length))
    n_fft *= 2 if settings.boolean("fft_overdrive", fft_overdrive) else 1
    settings.derived("fft_length", n_fft)
    return {
        "sample_rate": rate,
        "gain": settings.real("input_scale_factor", 1.0, above=0),
        "n_fft": n_fft,
        "win_length": win_length,
        "preemphasis": preemphasis,
        "preemphasis_of": "frame" if preemphasis else None,
        "power": 1.0,
        "n_mels": settings.integer("feature_size", 128, maximum=MAX_BINS),
        "mel_scale": "htk",
        "log": "ln",
        **CHANNELS_LAST,
    }


def _length(settings: Settings, name: str, default_ms: float, rate: int) -> int:
    """Returns the length of a frame or a hop in samples.

    The extractor takes milliseconds, and keeps and saves only samples, which it ignores when it is loaded.
    """
    milliseconds = settings.real(f"{name}_ms", default_ms, above=0, maximum=1000.0 * MAX_SAMPLES)
    samples = round(rate * milliseconds / 1000.0)
    if name in settings and (settings.instance is not None or f"{name}_ms" not in settings):
        saved = settings.integer(name, samples)
        if settings.instance is None and saved != samples:
            raise ConfigError(
                f"{settings.place}: {name}_ms is missing, and {name}={saved} does not follow from its default of "
                f"{default_ms:g} ms, which is {samples} samples. transformers does not save {name}_ms, so it would "
                f"load another extractor than the one that was saved. Add {name}_ms, or pass the extractor itself."
            )
        samples = saved
    settings.ignore((name,))
    if not 2 <= samples <= MAX_SAMPLES:
        raise ConfigError(
            f"{settings.place}: {name}_ms must give 2 to {MAX_SAMPLES} samples. Received: {name}_ms={milliseconds:g}, "
            f"which is {samples} samples at {rate} Hz."
        )
    return samples
