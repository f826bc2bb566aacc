"""Configs that reproduce feature extractors of transformers: one module per family of them."""

from collections.abc import Callable
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.configs.extractors import clap, google_speech, kaldi, nemo, sources, vocoders, wav2vec2, whisper
from audiopipe.configs.extractors.arrays import check_arrays
from audiopipe.configs.extractors.settings import Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.whisper import WhisperLogMel
from audiopipe.errors import ConfigError

__all__ = ["SUPPORTED", "from_extractor"]

SUPPORTED: dict[str, Callable[[Settings], Config]] = {
    "WhisperFeatureExtractor": whisper.whisper,
    "ASTFeatureExtractor": kaldi.ast,
    "SeamlessM4TFeatureExtractor": kaldi.seamless_m4t,
    "Speech2TextFeatureExtractor": kaldi.speech_to_text,
    "ClapFeatureExtractor": clap.clap,
    "SpeechT5FeatureExtractor": vocoders.speecht5,
    "UnivNetFeatureExtractor": vocoders.univnet,
    "ParakeetFeatureExtractor": nemo.parakeet,
    "LasrFeatureExtractor": google_speech.lasr,
    "Gemma3nAudioFeatureExtractor": google_speech.gemma3n,
    "Gemma4AudioFeatureExtractor": google_speech.gemma4,
    "Wav2Vec2FeatureExtractor": wav2vec2.wav2vec2,
}
"""Functions that convert the settings of an extractor, by the name of its class."""

_DITHER = "It adds random noise, so no two features would be equal. Set it to 0.0, or add noise to your clips yourself."
_SIDE = "Clips are padded at their end."


def from_extractor(extractor: Any) -> Config:
    """Returns the config that reproduces a feature extractor of transformers.

    Supported are `WhisperFeatureExtractor`, `ASTFeatureExtractor`, `SeamlessM4TFeatureExtractor` (also of
    Wav2Vec2-BERT), `Speech2TextFeatureExtractor`, `ClapFeatureExtractor`, `SpeechT5FeatureExtractor`,
    `UnivNetFeatureExtractor`, `ParakeetFeatureExtractor`, `LasrFeatureExtractor`, `Gemma3nAudioFeatureExtractor`,
    `Gemma4AudioFeatureExtractor` and `Wav2Vec2FeatureExtractor` (also of HuBERT and WavLM). A setting that is missing
    has its default in transformers 5.23.

    The config is the feature that the extractor computes of one clip with the default arguments of its call, or, where
    these pad or cut the clip, without that. The page "Use a pretrained model's front end" says what it is for each
    class. The config mixes channels down; `dataclasses.replace(config, channels=None)` keeps them.

    Args:
        extractor: A feature extractor, a processor that holds one, the dict that `to_dict()` of one returns, the path
            of a `preprocessor_config.json` or `processor_config.json`, or a local folder that holds one. JSON and dicts
            need no transformers. A byte order mark at the start of a file is ignored. Nothing that a file says is
            imported or run, and nothing is downloaded.

    Returns:
        A `WhisperLogMel`, a `LogMel` or a `NormalizedWaveform`.

    Raises:
        ConfigError: If the class is not supported, a file cannot be read, a setting is wrong, or no config reproduces
            a setting, such as dithering. The message names the setting and its value in the words of the extractor.

    Warns:
        UserWarning: If there are settings that the class does not use.

    Example:
        >>> from audiopipe import configs, registry
        >>> config = configs.from_extractor({"feature_extractor_type": "ASTFeatureExtractor", "max_length": 512})
        >>> config.fixed_frames
        512
        >>> print(registry.get("ast").diff(config))
        fixed_frames: 1024 != 512
    """
    source = sources.find(extractor)
    convert = SUPPORTED.get(source.class_name)
    if convert is None:
        raise ConfigError(
            f"The class of an extractor must be one of {', '.join(SUPPORTED)}. Received: {source.class_name:.80}"
            f"{source.where}. configs.LogMel describes most other log-mel features."
        )
    settings = Settings(source.settings, f"{source.class_name}{source.where}", source.instance)
    settings.only("dither", 0.0, _DITHER)
    settings.only("padding_side", "right", _SIDE)
    config = convert(settings)
    settings.warn_of_unknown()
    if isinstance(config, (LogMel, WhisperLogMel)) and source.instance is not None:
        check_arrays(config, settings)
    return config
