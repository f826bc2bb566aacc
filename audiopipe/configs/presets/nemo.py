"""Speech recognition models of NVIDIA NeMo.

Sources: `FilterbankFeatures` and `normalize_batch` of
https://github.com/NVIDIA/NeMo/blob/main/nemo/collections/asr/parts/preprocessing/features.py (pre-emphasis 0.97 over
the waveform, symmetric window that `torch.stft` centres in the frame, `log(x + 2^-24)`, standard deviation with
`ddof=1` plus `CONSTANT = 1e-5`), and the preprocessor of
https://github.com/NVIDIA/NeMo/blob/main/examples/asr/conf/fastconformer/fast-conformer_transducer_bpe.yaml (25 ms every
10 ms, `n_fft: 512`). NeMo dithers during training only. `ParakeetFeatureExtractor` of transformers computes the same:
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/parakeet/feature_extraction_parakeet.py.
Both give `n // 160 + 1` rows, of which the last one is padding and holds 0.
"""

from typing import Any

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["nemo_mel_80", "nemo_mel_128"]

MEL: dict[str, Any] = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "window": "hann",
    "periodic": False,
    "edges": "center",
    "pad_mode": "constant",
    "preemphasis": 0.97,
    "preemphasis_of": "waveform",
    "power": 2.0,
    "f_max": 8000.0,
    "mel_scale": "slaney",
    "mel_norm": "slaney",
    "log": "ln",
    "log_offset": 2.0**-24,
    "normalization": "clip",
    "ddof": 1,
    "std_epsilon": 1e-5,
    "masked_frames": 1,
    "padding_value": 0.0,
    **CHANNELS_LAST,
}


def nemo_mel_80() -> LogMel:
    """NeMo's FastConformer models with 80 bands, Parakeet included.

    Used by: FastConformer, Conformer, parakeet-ctc-1.1b, parakeet-rnnt-1.1b and other models whose preprocessor says
    `features: 80`. Newer models have 128 bands, so look at the model's preprocessor.

    Source: see the module.

    Agreement: 3.4e-7 of a frame's maximum before the logarithm, 1.6e-4 after it.
    """
    return LogMel(n_mels=80, **MEL)


def nemo_mel_128() -> LogMel:
    """NeMo's models with 128 bands: Canary, and Parakeet since parakeet-tdt-0.6b-v2.

    Used by: Canary 1B and its successors, parakeet-tdt-0.6b-v2 and v3, and other models whose preprocessor says
    `features: 128`. Look at the model's preprocessor.

    Source: see the module.

    Agreement: 3.7e-7 of a frame's maximum before the logarithm, 2.3e-4 after it.
    """
    return LogMel(n_mels=128, **MEL)
