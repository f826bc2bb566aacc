"""Layer that records the feature that a model was trained on."""

import json
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from audiopipe.errors import ArgumentError, ConfigMismatchError
from audiopipe.identity import kernel_versions, model_stamps
from audiopipe.layers.audio_layer import AudioLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class FeatureStamp(AudioLayer):
    """Identity layer in front of a model that takes features, which records the feature that the model was trained on.

    `Config.stamp_model` and `Config.stamp_layer` make it. The layer returns its input unchanged. Unlike an attribute of
    the model, it is saved with the model in every format. `audiopipe.fingerprint_of` reads it, and `audiopipe.check`
    compares it with a feature set.

    The layer refuses the feature of a composed layer that was made from another config. It can tell only if the
    composed layer is directly in front of it, as in `Sequential([config.layer(), model])`.

    Args:
        stamp: JSON of the config, its fingerprint and its kernel version, and of what is known about the machines that
            computed the features.

    Input shape:
        Any.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If `stamp` is not the text of a stamp.
        ConfigMismatchError: If the input is the feature of another config.

    Example:
        >>> from audiopipe import configs
        >>> config = configs.MelSpectrogram(sample_rate=16000)
        >>> layer = config.stamp_layer()
        >>> layer(tf.ones([1, 1, 2, 1])).numpy().ravel()
        array([1., 1.], dtype=float32)
        >>> wrong = configs.MelSpectrogram(sample_rate=16000, hop_length=100).layer()
        >>> layer(wrong(tf.zeros([1, 4000, 1])))
        Traceback (most recent call last):
            ...
        audiopipe.errors.ConfigMismatchError: ... hop_length: 512 != 100 ...

    See Also:
        `ComposedLayer`: computes a feature, and records its config.
    """

    frame_local = True

    def __init__(self, stamp: str, **kwargs: Any):
        kwargs.setdefault("autocast", False)  # the input stays as it is under every policy
        super().__init__(**kwargs)
        self.stamp = stamp
        self._content = _parsed(stamp)
        self.supports_masking = True

    def __call__(self, inputs, *args, **kwargs):
        self.check_front_end(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs):
        """Returns the input."""
        if not tf.executing_eagerly():
            # This constant in the graph of a SavedModel identifies the feature.
            tf.constant(self.stamp, name=model_stamps.TRAINED_ON_NODE)
        return inputs

    def check_front_end(self, inputs: Any) -> None:
        """Raises an error if the input is what a composed layer computed from another config.

        Raises:
            ConfigMismatchError: If it is. The message lists the fields that differ.
        """
        config_json = getattr(inputs, model_stamps.MARK, None)
        if config_json is None:
            return
        trained_on, computed = self._content["config"], json.loads(config_json)
        pairs = {name: (trained_on[name], computed[name]) for name in trained_on.keys() & computed.keys()}
        # The graph computes with the numerics of this release.
        version = kernel_versions.VERSIONS.get(computed["feature"])
        if version is not None:
            pairs["kernel_version"] = self._content["kernel_version"], version
        lines = [
            f"{name}: {_short(there)} != {_short(here)}"
            for name, (there, here) in sorted(pairs.items())
            if there != here
        ]
        if lines:
            raise ConfigMismatchError(
                f"The model behind {self.name!r} was trained on another feature than the one in front of it. Expected "
                f"(left, fingerprint {self._content['fingerprint']}) and received (right):\n" + "\n".join(lines) + "\n"
                "Put the layer of the config that the model was trained on in front of it: "
                "audiopipe.fingerprint_of(model).config.layer()."
            )

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_dtype(self, input_dtype: str) -> str:
        return input_dtype

    def get_config(self):
        return {**super().get_config(), "stamp": self.stamp}

    def save_assets(self, dir_path: str) -> None:
        """Writes the stamp to a `.keras` file, called by Keras.

        For a subclass of `keras.Model`, the file does not list the layers, so it has no other record of the stamp.
        """
        (Path(dir_path) / model_stamps.TRAINED_ON_ASSET).write_text(self.stamp, encoding="utf-8")

    def load_assets(self, dir_path: str) -> None:
        """Reads the stamp from a `.keras` file, called by Keras.

        A subclass of `keras.Model` makes its layers anew when it is loaded, with a stamp of the present release and
        machine. The weights belong to the saved one.
        """
        path = Path(dir_path) / model_stamps.TRAINED_ON_ASSET
        if path.is_file():
            stamp = path.read_text(encoding="utf-8")
            self._content = _parsed(stamp)
            self.stamp = stamp


def _parsed(stamp: Any) -> dict[str, Any]:
    try:
        return model_stamps.parse(stamp)
    except ValueError as error:
        raise ArgumentError(
            f"stamp must be the JSON of a config with its fingerprint and kernel version. Received: {stamp!r:.80}. Use "
            "config.stamp_layer()."
        ) from error


def _short(value: Any) -> str:
    """Returns a value of a field for an error message, in which long lists of numbers would hide the rest."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:20]} ... {text[-20:]}"
