"""Names under which layers store the config of a feature in model files, and a digest that reveals edits.

A composed layer stores the config of the feature that it computes. A `FeatureStamp` stores the config of the feature
that a model was trained on. `layers` writes under these names, and `feature_sets` reads them. This module does not
import TensorFlow.
"""

import hashlib
import json
from typing import Any

NODE = "audiopipe_config"  # constant in the graphs of a SavedModel, which holds the config and its kernel version
ASSET = "audiopipe_config.json"  # file inside a .keras file, which holds the config
REGISTERED_NAME = "audiopipe>ComposedLayer"  # name of the class in Keras's registry
DIGEST = "config_sha256"  # key beside the config in the config.json of a .keras file

TRAINED_ON_NODE = "audiopipe_trained_on"  # constant in the graphs of a SavedModel, which holds a stamp
TRAINED_ON_ASSET = "audiopipe_trained_on.json"  # file inside a .keras file, which holds a stamp
STAMP_REGISTERED_NAME = "audiopipe>FeatureStamp"  # name of the class in Keras's registry

MARK = "_audiopipe_config"  # attribute of the tensor that a composed layer returns, which holds the config


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


def parse(stamp: str) -> dict[str, Any]:
    """Returns the content of a stamp: `config`, `fingerprint`, `kernel_version` and the list `machines`.

    Raises:
        ValueError: If the text is not a stamp.
    """
    try:
        content = {"machines": []} | json.loads(stamp)
        fits = isinstance(content["config"]["feature"], str) and isinstance(content["fingerprint"], str)
        fits = fits and type(content["kernel_version"]) is int and isinstance(content["machines"], list)
        fits = fits and all(isinstance(facts["versions"], dict) for facts in content["machines"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"not a stamp: {stamp!r:.80}") from error
    if not fits:
        raise ValueError(f"not a stamp: {stamp!r:.80}")
    return content
