"""Whisper's front end.

Sources: `log_mel_spectrogram` of OpenAI, https://github.com/openai/whisper/blob/main/whisper/audio.py, and
`WhisperFeatureExtractor`,
https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/whisper/feature_extraction_whisper.py.
`audiopipe.signal.whisper` links every number.
"""

from audiopipe.configs.presets.formats import CHANNELS_LAST
from audiopipe.configs.whisper import WhisperLogMel

__all__ = ["whisper_80", "whisper_128"]


def whisper_80() -> WhisperLogMel:
    """Whisper up to large-v2: log-mel of a chunk of 30 seconds, 80 bands.

    Used by: Whisper tiny, base, small, medium, large and large-v2, with their English versions, and Distil-Whisper of
    these.

    Agreement: 1.2e-4 after the logarithm.
    """
    return WhisperLogMel(n_mels=80, **CHANNELS_LAST)


def whisper_128() -> WhisperLogMel:
    """Whisper large-v3 and models with its encoder: log-mel of a chunk of 30 seconds, 128 bands.

    Used by: Whisper large-v3 and large-v3-turbo, Qwen2-Audio, Audio Flamingo 3 and Voxtral. Models that take longer
    audio get it in chunks. Qwen3-ASR has the feature as it is, with another length.

    Agreement: 1.4e-4 after the logarithm.
    """
    return WhisperLogMel(n_mels=128, **CHANNELS_LAST)
