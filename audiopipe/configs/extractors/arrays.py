"""Check that the filterbank and the window of an extractor are those of its config."""

import numpy as np

from audiopipe.configs.extractors.settings import Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.whisper import WhisperLogMel
from audiopipe.errors import ConfigError
from audiopipe.signal import filterbanks, whisper, windows

# Some extractors compute theirs in float32.
TOLERANCE = 1e-5


def check_arrays(config: LogMel | WhisperLogMel, settings: Settings) -> None:
    """Checks the arrays of the extractor that `settings` are of.

    Raises:
        ConfigError: If somebody replaced an array, so that the config does not reproduce the extractor.
    """
    extractor = settings.instance
    expected = {"mel_filters": _filterbank(config)}
    if isinstance(config, LogMel):
        if config.mel_scale == "slaney" and hasattr(extractor, "mel_filters_slaney"):
            expected["mel_filters_slaney"] = expected.pop("mel_filters")
        length = config.n_fft if config.win_length is None else config.win_length
        expected["window"] = windows.window(f"{config.window}_window", length, config.periodic)
    for name, array in expected.items():
        found = getattr(extractor, name, None)
        if found is not None and not _equal(np.asarray(found), array):
            raise ConfigError(
                f"{settings.place}: {name} was replaced after the extractor was created, so no config reproduces it. "
                "Create the extractor with the settings that you want."
            )


def _filterbank(config: LogMel | WhisperLogMel) -> np.ndarray:
    """Returns the filterbank of a config, `[frequencies, bands]`."""
    if isinstance(config, WhisperLogMel):
        n_freq = whisper.N_FFT // 2 + 1
        return filterbanks.mel(config.sample_rate, n_freq, config.n_mels, 0.0, whisper.F_MAX, warn_of_empty=False)
    return filterbanks.mel(
        config.sample_rate,
        config.n_fft // 2 + 1,
        config.n_mels,
        config.f_min,
        config.f_max,
        config.mel_scale == "htk",
        config.mel_norm,
        triangles=config.mel_triangles,
        warn_of_empty=False,
    )


def _equal(found: np.ndarray, expected: np.ndarray) -> bool:
    """Compares two arrays, of which torch's filterbanks are transposed."""
    if found.ndim == 2 and found.shape != expected.shape:
        found = found.T
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=0, atol=TOLERANCE * expected.max()))
