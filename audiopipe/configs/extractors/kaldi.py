"""Extractors of transformers whose filterbank is Kaldi's: AST, SeamlessM4T (also of Wav2Vec2-BERT) and Speech2Text.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/audio_spectrogram_transformer/feature_extraction_audio_spectrogram_transformer.py
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/seamless_m4t/feature_extraction_seamless_m4t.py
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/speech_to_text/feature_extraction_speech_to_text.py
"""

from typing import Any

from audiopipe.configs.extractors.settings import MAX_BINS, MAX_FRAMES, Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.kaldi import FBANK, INT16_GAIN
from audiopipe.errors import ConfigError

_TWO_PATHS = (
    "At other rates, transformers computes another feature if torchaudio is installed than if it is not. Describe the "
    "one that your model was trained with by configs.LogMel."
)


def ast(settings: Settings) -> LogMel:
    """AST: frames of Kaldi's bands, cut or padded to a fixed number.

    The extractor pads with 0 before it subtracts the mean, and ignores `padding_value`. At the call only: nothing.
    """
    settings.only("sampling_rate", 16000, _TWO_PATHS)
    settings.ignore(("feature_size", "padding_value", "mel_filters", "window"))
    affine: dict[str, Any] = {}
    mean, std = settings.real("mean", -4.2677393), settings.real("std", 4.5689974, above=0)
    if settings.boolean("do_normalize", True):
        affine = {"center_value": mean, "scale_value": 2 * std}
    own = {"n_mels": "num_mel_bins", "fixed_frames": "max_length", "center_value": "mean", "scale_value": "2 * std"}
    return settings.config(
        LogMel,
        own,
        n_mels=settings.integer("num_mel_bins", 128, maximum=MAX_BINS),
        fixed_frames=settings.integer("max_length", 1024, maximum=MAX_FRAMES),
        padding_value=0.0,
        **affine,
        **FBANK | {"window": "hann", "periodic": False},
    )


def seamless_m4t(settings: Settings) -> LogMel:
    """SeamlessM4T and Wav2Vec2-BERT: Kaldi's bands, normalized per clip, two frames per row.

    At the call only: `do_normalize_per_mel_bins=False` leaves out the normalization, `pad_to_multiple_of` and
    `padding="max_length"` append frames, and `truncation=True` cuts long clips. The config has the defaults: an even
    number of frames.
    """
    rate = settings.sample_rate(16000)
    if rate < 42:
        raise ConfigError(
            f"{settings.place}: sampling_rate must be at least 42, because the bands start at 20 Hz. Received: "
            f"sampling_rate={rate}."
        )
    settings.only("stride", 2, "The extractor pads clips to an even number of frames and marks every second as valid.")
    settings.refuse_in_json("mel_filters", "The extractor computes them from the other settings. Remove them.")
    settings.refuse_in_json("window", "It is always Kaldi's. Remove it.")
    settings.ignore(("feature_size",))
    own = {"sample_rate": "sampling_rate", "n_mels": "num_mel_bins"}
    return settings.config(
        LogMel,
        own,
        gain=INT16_GAIN,
        n_mels=settings.integer("num_mel_bins", 80, maximum=MAX_BINS),
        normalization="clip",
        ddof=1,
        variance_epsilon=1e-7,
        stack_frames=2,
        padding_value=settings.real("padding_value", 0.0),
        **FBANK | {"sample_rate": rate, "f_max": float(rate // 2)},
    )


def speech_to_text(settings: Settings) -> LogMel:
    """Speech2Text: Kaldi's bands, normalized per clip.

    At the call only: `padding`, `max_length` and `truncation` change the number of frames.
    """
    settings.only("sampling_rate", 16000, _TWO_PATHS)
    settings.ignore(("feature_size", "mel_filters", "window"))
    subtracts, divides = settings.boolean("normalize_means", True), settings.boolean("normalize_vars", True)
    normalizes = settings.boolean("do_ceptral_normalize", True) and (subtracts or divides)
    if normalizes and subtracts != divides:
        raise ConfigError(
            f"{settings.place}: normalize_means and normalize_vars must be equal, because configs.LogMel normalizes by "
            f"both or by none. Received: normalize_means={subtracts}, normalize_vars={divides}. Set both to False and "
            "normalize in the model."
        )
    own = {"n_mels": "num_mel_bins"}
    return settings.config(
        LogMel,
        own,
        gain=INT16_GAIN,
        n_mels=settings.integer("num_mel_bins", 80, maximum=MAX_BINS),
        normalization="clip" if normalizes else None,
        padding_value=settings.real("padding_value", 0.0),
        **FBANK,
    )
