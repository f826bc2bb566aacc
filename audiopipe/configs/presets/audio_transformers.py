"""Transformers that classify sounds."""

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.kaldi import FBANK, INT16_GAIN

__all__ = ["ast", "beats"]


def ast() -> LogMel:
    """Audio Spectrogram Transformer: 1024 frames of 128 Kaldi bands, about 10 seconds.

    Used by: AST models trained on AudioSet, such as MIT/ast-finetuned-audioset-10-10-0.4593. Models that were trained
    on other data have another mean and standard deviation: `configs.from_extractor` reads them.

    Source: `ASTFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/audio_spectrogram_transformer/feature_extraction_audio_spectrogram_transformer.py
    (`__init__`: bands, frames, mean, standard deviation; `_extract_fbank_features`: symmetric Hann window, samples that
    are not scaled, frames of padding that are 0 before the mean is subtracted; `normalize`: twice the standard
    deviation), after `make_features` of https://github.com/YuanGongND/ast/blob/master/demo.py.

    Agreement: 4.3e-7 of a frame's maximum before the logarithm, 5.8e-4 after it.
    """
    return LogMel(
        n_mels=128,
        center_value=-4.2677393,
        scale_value=2 * 4.5689974,
        fixed_frames=1024,
        padding_value=0.0,
        **FBANK | {"window": "hann", "periodic": False},
    )


def beats() -> LogMel:
    """BEATs: 128 Kaldi bands of 16-bit samples, standardized with the statistics of its training data.

    Used by: BEATs iter1 to iter3, their fine-tuned versions, and models with a BEATs encoder, such as SALMONN.

    Source: `BEATs.preprocess` of https://github.com/microsoft/unilm/blob/master/beats/BEATs.py (gain of 2^15, 128
    bands, mean 15.41663, twice the standard deviation 6.55582), and `audiopipe.configs.presets.kaldi` for the rest.

    Agreement: 5.5e-7 of a frame's maximum before the logarithm, 8.3e-4 after it.
    """
    return LogMel(gain=INT16_GAIN, n_mels=128, center_value=15.41663, scale_value=2 * 6.55582, **FBANK)
