"""`Wav2Vec2FeatureExtractor` of transformers, also of HuBERT, WavLM, Data2Vec and others.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/wav2vec2/feature_extraction_wav2vec2.py
"""

from audiopipe.configs.extractors.settings import Settings
from audiopipe.configs.normalized_waveform import NormalizedWaveform


def wav2vec2(settings: Settings) -> NormalizedWaveform:
    """The waveform with mean 0 and variance 1.

    At the call only: `padding`, `max_length` and `truncation` change the length. In a padded batch, an extractor with
    `return_attention_mask=False` normalizes each clip together with its padding, so that the feature depends on the
    batch; audiopipe normalizes the clip.
    """
    settings.only("feature_size", 1, "The feature is the waveform, which has one value per sample.")
    settings.only("padding_value", 0.0, "config.padding is silence, which is 0.")
    settings.only("do_normalize", True, "The model reads samples as they are, and needs no feature.")
    own = {"sample_rate": "sampling_rate"}
    return settings.config(NormalizedWaveform, own, sample_rate=settings.sample_rate(16000))
