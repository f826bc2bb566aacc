"""Names under which composed layers store their config in model files, and a digest that reveals edits.

`layers` writes under these names, and `feature_sets` reads them. This module does not import TensorFlow.
"""

import hashlib
import json
from typing import Any

NODE = "audiopipe_config"  # constant in the graphs of a SavedModel, which holds the config and its kernel version
ASSET = "audiopipe_config.json"  # file inside a .keras file, which holds the config
REGISTERED_NAME = "audiopipe>ComposedLayer"  # name of the class in Keras's registry
DIGEST = "config_sha256"  # key beside the config in the config.json of a .keras file


def digest(config: dict[str, Any]) -> str:
    """Returns the SHA-256 of what a composed layer computes.

    Args:
        config: The composed layer as Keras serializes it: `config_json`, `layers`, and `padding` if it is not silence.
    """
    parts = [config["config_json"], config["layers"]]
    if config.get("padding") is not None:  # layers of earlier releases have none
        parts.append(config["padding"])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_edited(config: dict[str, Any]) -> bool:
    """Returns whether config, layers or padding of a serialized composed layer were changed after saving."""
    return DIGEST in config and config[DIGEST] != digest(config)
