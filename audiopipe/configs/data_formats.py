"""Data formats of configs, resolved so that they do not depend on a setting of the process."""

import json
import os
import sys
from typing import Any

from audiopipe import checks


def fixed_data_formats(config: Any) -> dict[str, str]:
    """Returns the data formats of a config, checked and with `"default"` replaced by Keras's setting."""
    fixed = {}
    for name in ("input_data_format", "output_data_format"):
        value = getattr(config, name)
        value = _default_data_format() if value == "default" else value
        fixed[name] = checks.choice(name, value, ("default", *checks.DATA_FORMATS))
    return fixed


def _default_data_format() -> str:
    """Returns Keras's image data format, without importing Keras if nothing has imported it yet.

    The function reads the file that Keras reads when it is imported, see `keras.config`.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.image_data_format()
    home = os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    try:
        with open(os.path.join(home, "keras.json"), encoding="utf-8") as file:
            return json.load(file).get("image_data_format", "channels_last")
    except (OSError, ValueError):
        return "channels_last"
