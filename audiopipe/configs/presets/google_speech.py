"""Google's speech encoders: the audio towers of Gemma and LASR."""

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["gemma3n_128", "lasr_128"]


def gemma3n_128() -> LogMel:
    """Gemma 3n: logarithm of 128 HTK bands, frames of 32 ms every 10 ms.

    Used by: Gemma 3n E2B and E4B. The extractor pads a clip with zeros to a multiple of 128 samples and cuts it
    at 30 seconds; the config does neither.

    Source: `Gemma3nAudioFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/gemma3n/feature_extraction_gemma3n.py
    (`__init__`: all numbers; `_extract_spectrogram`: a frame needs one sample more than its window, and pre-emphasis is
    HTK's, within the frame).

    Agreement: 2.9e-7 of a frame's maximum before the logarithm, 1.6e-4 after it.
    """
    return LogMel(
        sample_rate=16000,
        n_fft=1024,
        win_length=512,
        hop_length=160,
        frame_length=513,
        window_position="start",
        edges="snip",
        preemphasis=0.97,
        preemphasis_of="frame",
        power=1.0,
        n_mels=128,
        f_min=125.0,
        f_max=7600.0,
        mel_scale="htk",
        log="ln",
        log_floor=1e-5,
        **CHANNELS_LAST,
    )


def lasr_128() -> LogMel:
    """LASR: logarithm of 128 HTK bands, frames of 25 ms every 10 ms.

    Used by: google/medasr and other LASR models.

    Source: `LasrFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/lasr/feature_extraction_lasr.py
    (`__init__`: frames, and 125 to 7500 Hz; `linear_to_mel_weight_matrix`: triangles over mels, no weight at 0 Hz;
    `_torch_extract_fbank_features`: symmetric Hann window, power, floor of 1e-5).

    Agreement: 3.7e-7 of a frame's maximum before the logarithm, 2.3e-4 after it.
    """
    return LogMel(
        sample_rate=16000,
        n_fft=512,
        win_length=400,
        hop_length=160,
        periodic=False,
        edges="snip",
        power=2.0,
        n_mels=128,
        f_min=125.0,
        f_max=7500.0,
        mel_scale="htk",
        mel_triangles="mel",
        log="ln",
        log_floor=1e-5,
        **CHANNELS_LAST,
    )
