"""Extractors of transformers that run without torch, and settings of all classes as JSON holds them."""

import functools

import transformers
from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor

WITHOUT_TORCH = {
    "WhisperFeatureExtractor": transformers.WhisperFeatureExtractor,
    "SeamlessM4TFeatureExtractor": transformers.SeamlessM4TFeatureExtractor,
    "Speech2TextFeatureExtractor": transformers.Speech2TextFeatureExtractor,
    "SpeechT5FeatureExtractor": transformers.SpeechT5FeatureExtractor,
    "UnivNetFeatureExtractor": transformers.UnivNetFeatureExtractor,
    "Gemma3nAudioFeatureExtractor": transformers.Gemma3nAudioFeatureExtractor,
    "Gemma4AudioFeatureExtractor": Gemma4AudioFeatureExtractor,
    "Wav2Vec2FeatureExtractor": transformers.Wav2Vec2FeatureExtractor,
}
"""Classes by name."""

PRESETS = {
    "WhisperFeatureExtractor": "whisper-80",
    "ASTFeatureExtractor": "ast",
    "SeamlessM4TFeatureExtractor": "seamless-m4t",
    "Speech2TextFeatureExtractor": "speech-to-text",
    "SpeechT5FeatureExtractor": "speecht5",
    "UnivNetFeatureExtractor": "univnet",
    "ParakeetFeatureExtractor": "nemo-mel-80",
    "LasrFeatureExtractor": "lasr-128",
    "Gemma3nAudioFeatureExtractor": "gemma3n-128",
}
"""Presets that the defaults of classes give."""

# What save_pretrained writes for the classes that need torch, from transformers 5.23 with torch 2.9.
SAVED = {
    "ASTFeatureExtractor": {
        "do_normalize": True,
        "feature_extractor_type": "ASTFeatureExtractor",
        "feature_size": 1,
        "max_length": 1024,
        "mean": -4.2677393,
        "num_mel_bins": 128,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
        "sampling_rate": 16000,
        "std": 4.5689974,
    },
    "ParakeetFeatureExtractor": {
        "feature_extractor_type": "ParakeetFeatureExtractor",
        "feature_size": 80,
        "hop_length": 160,
        "n_fft": 512,
        "padding_side": "right",
        "padding_value": 0.0,
        "preemphasis": 0.97,
        "return_attention_mask": True,
        "sampling_rate": 16000,
        "win_length": 400,
    },
    "LasrFeatureExtractor": {
        "feature_extractor_type": "LasrFeatureExtractor",
        "feature_size": 128,
        "hop_length": 160,
        "n_fft": 512,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": True,
        "sampling_rate": 16000,
        "win_length": 400,
    },
}
CLAP = {
    "chunk_length_s": 10,
    "feature_extractor_type": "ClapFeatureExtractor",
    "feature_size": 64,
    "fft_window_size": 1024,
    "frequency_max": 14000,
    "frequency_min": 50,
    "hop_length": 480,
    "max_length_s": 10,
    "n_fft": 1024,
    "nb_frequency_bins": 513,
    "nb_max_frames": 1000,
    "nb_max_samples": 480000,
    "padding": "repeatpad",
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "ClapProcessor",
    "return_attention_mask": False,
    "sampling_rate": 48000,
    "top_db": None,
    "truncation": "fusion",
}


@functools.cache
def default(class_name):
    """An extractor with the defaults of its class. Filterbanks take a while, so that it is shared."""
    return WITHOUT_TORCH[class_name]()
