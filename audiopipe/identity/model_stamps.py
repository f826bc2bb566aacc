"""The names under which composed layers leave their config in files of models, and what shows that it was edited.

`layers` writes by them and `fingerprints` reads by them, which imports no TensorFlow.
"""

import hashlib
import json
from typing import Any

NODE = "audiopipe_config"  # a constant in the graphs of a SavedModel: the config with its kernel version
ASSET = "audiopipe_config.json"  # a file in a .keras file: the config
REGISTERED_NAME = "audiopipe>ComposedLayer"  # as Keras knows the class
DIGEST = "config_sha256"  # beside the config in config.json of a .keras file


def digest(config_json: str, layers: list[dict[str, Any]]) -> str:
    """SHA-256 over a config and the layers that compute its feature, as Keras serializes them."""
    return hashlib.sha256(json.dumps([config_json, layers], sort_keys=True).encode()).hexdigest()


def is_edited(config: dict[str, Any]) -> bool:
    """Whether the config or the layers of a serialized composed layer are not those that it was saved with."""
    return DIGEST in config and config[DIGEST] != digest(config["config_json"], config["layers"])
