"""Data formats of presets, which must not depend on a setting of Keras."""

from typing import Any

CHANNELS_LAST: dict[str, Any] = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
