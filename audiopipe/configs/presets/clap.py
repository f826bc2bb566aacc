"""CLAP of LAION: sounds and texts in one space.

Sources: `ClapFeatureExtractor` of transformers,
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/clap/feature_extraction_clap.py
(`_np_extract_fbank_features`: periodic Hann window, centred frames with reflection, power, decibels;
`_get_input_mel`: the filterbank of each kind, whole repetitions of short clips and zeros up to 10 seconds), and the
`audio_cfg` of https://github.com/LAION-AI/CLAP/blob/main/src/laion_clap/clap_module/model_configs/HTSAT-tiny.json
(48 kHz, window 1024, hop 480, 64 bands, 50 to 14000 Hz). The class's own default is a lower edge of 0 Hz; the
checkpoints say 50.

A config is the one spectrogram `[1001, 64]` of a clip of up to 10 seconds. The extractor crops longer audio at random,
so a longer clip is an error that says so.
"""

from typing import Any

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["clap_fused", "clap_unfused"]

MEL: dict[str, Any] = {
    "sample_rate": 48000,
    "clip_seconds": 10.0,
    "short_clips": "repeat",
    "long_clips": "error",
    "n_fft": 1024,
    "hop_length": 480,
    "edges": "center",
    "pad_mode": "reflect",
    "power": 2.0,
    "n_mels": 64,
    "f_min": 50.0,
    "f_max": 14000.0,
    "log": "db",
    "log_floor": 1e-10,
    **CHANNELS_LAST,
}
FUSION_FILTERS: dict[str, Any] = {"mel_scale": "htk", "mel_norm": None}
OTHER_FILTERS: dict[str, Any] = {"mel_scale": "slaney", "mel_norm": "slaney"}


def clap_fused() -> LogMel:
    """CLAP with feature fusion: decibels of 64 HTK bands of 10 seconds.

    Used by: laion/clap-htsat-fused (`truncation: "fusion"`). The extractor stacks four copies of the spectrogram of a
    clip of up to 10 seconds; `audiopipe.patches` makes them.

    Source: see the module.

    Agreement: 3.9e-7 of a frame's maximum before the logarithm, 3e-3 dB after it.
    """
    return LogMel(**MEL, **FUSION_FILTERS)


def clap_unfused() -> LogMel:
    """CLAP without feature fusion: decibels of 64 Slaney bands of 10 seconds.

    Used by: laion/clap-htsat-unfused, larger_clap_general and larger_clap_music (`truncation: "rand_trunc"`).

    Source: see the module.

    Agreement: 4.2e-7 of a frame's maximum before the logarithm, 1e-3 dB after it.
    """
    return LogMel(**MEL, **OTHER_FILTERS)
