"""Conversion of JSON to configs."""

import dataclasses
import json
from typing import Any

from audiopipe import checks
from audiopipe.configs import config_classes
from audiopipe.configs.base import Config
from audiopipe.configs.extractors import from_extractor, sources
from audiopipe.errors import ConfigError


def from_dict(fields: dict[str, Any]) -> Config:
    """Returns the config that a dict from `Config.to_dict` describes. Missing fields take their defaults.

    Raises:
        ConfigError: If the feature is unknown, a field is unknown, or a value is not valid.
    """
    if not isinstance(fields, dict):
        raise ConfigError(f"A config's JSON must be an object. Received: {checks.shown(fields, 80)}.")
    fields = dict(fields)
    name = fields.pop("feature", None)
    if name is None and "feature_extractor_type" in fields:
        raise ConfigError(
            "A config must name its feature. Received: the settings of a feature extractor of transformers, "
            f"{fields['feature_extractor_type']!r:.80}. configs.from_extractor turns it into a config."
        )
    if not isinstance(name, str):
        raise ConfigError(
            f'A config must name its feature: "feature" must be one of {", ".join(config_classes.own_names())}, or '
            '"module.Class" for a config class of another package. Received: '
            f"{'the keys ' + ', '.join(fields) if name is None else f'feature={name!r}'}."
        )
    cls = config_classes.find(name)
    known = [item.name for item in dataclasses.fields(cls)]
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise ConfigError(
            f"{name} has no field {', '.join(map(repr, unknown))}. Its fields are {', '.join(sorted(known))}. "
            f"A newer release of audiopipe may have written this config. If so, upgrade audiopipe."
        )
    return cls(**fields)


def from_json(text: str) -> Config:
    """Returns the config that a JSON text describes. Missing fields take their defaults.

    Raises:
        ConfigError: If the text is not JSON, the feature or a field is unknown, or a value is not valid.

    Example:
        >>> from audiopipe import configs
        >>> configs.from_json('{"feature": "MelSpectrogram", "sample_rate": 16000}').n_mels
        128
    """
    return from_dict(_parsed(text))


def from_file(text: str) -> Config:
    """Returns the config that a JSON file describes: that of a config, or of a feature extractor of transformers.

    Raises:
        ConfigError: As `from_json` and `from_extractor`.

    Example:
        >>> from_file('{"feature_extractor_type": "ASTFeatureExtractor", "max_length": 128}').fixed_frames
        128
    """
    content = _parsed(text)
    return from_extractor(content) if sources.is_extractor(content) else from_dict(content)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=checks.unique_keys)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"A config must be JSON. Received: {text[:60]!r} ({error}).") from error
