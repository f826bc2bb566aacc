"""Methods of configs that record a feature in the models that are trained on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiopipe.configs import stamping
from audiopipe.configs.identified import Identified

if TYPE_CHECKING:
    import keras

    from audiopipe.layers import FeatureStamp


@dataclass(frozen=True, kw_only=True)
class Stampable(Identified):
    """Config that a model can record. Base class of `Config`."""

    def stamp_model(self: Any, model: "keras.Model", input_name: str | None = None) -> "keras.Model":
        """Returns a copy of a model that records that the model takes this feature.

        The record is an `audiopipe.layers.FeatureStamp` before the input. It changes no bits.
        `audiopipe.fingerprint_of`, `audiopipe.check` and `load(config=model)` read it, from the model and from every
        file that the model is saved to, except files of weights alone. This method records the kernel version of this
        release and this machine. `FeatureSet.stamp_model` records those of a feature set.

        The new model has the layers of the old one, and thus its weights. It is compiled as the old one is, with the
        same optimizer and its state. Only a class with its own `compile` must be compiled again. Attributes of your own
        stay with the old model.

        Args:
            model: A model that takes features: a `Sequential`, a functional model, or a model of your own class with
                one input. A model of your own class becomes part of a new `Sequential`, which has no shapes before its
                first call. If your class has a `train_step` or the like and its own `call`, use `stamp_layer` in the
                class.
            input_name: Name of the input that takes the feature. If the model has several inputs, None means the only
                one of rank 4 whose shape fits, or else the one with the name `"feature"`.

        Returns:
            The new model, or `model` itself if it has a stamp of this feature.

        Raises:
            ArgumentError: If the model computes features itself; the shape of the input does not fit; it is not clear
                which input takes the feature; or the class of the model cannot be kept.
            ConfigMismatchError: If the model has a stamp of another feature.

        Example:
            >>> import audiopipe, keras
            >>> from audiopipe import configs
            >>> config = configs.MelSpectrogram(sample_rate=16000, n_fft=512, n_mels=80)
            >>> model = keras.Sequential([keras.Input((None, 80, 1)), keras.layers.GlobalAveragePooling2D()])
            >>> model = config.stamp_model(model)
            >>> audiopipe.fingerprint_of(model).config == config
            True
        """
        return stamping.stamped(self, model, stamping.stamp_text(self, self.kernel_version, [here(self)]), input_name)

    def stamp_layer(self: Any, name: str | None = None) -> "FeatureStamp":
        """Returns the layer that `stamp_model` puts before a model, for models that you build yourself.

        Apply it to the feature before any other layer: in the `call` of your own model class, or after a `keras.Input`.

        Args:
            name: Name of the layer. None means a unique name.

        Example:
            >>> from audiopipe import configs
            >>> configs.MelSpectrogram().stamp_layer(name="trained_on").name
            'trained_on'
        """
        from audiopipe.layers import FeatureStamp

        return FeatureStamp(stamping.stamp_text(self, self.kernel_version, [here(self)]), name=name)


def here(config: Any) -> dict[str, Any]:
    """Returns what stamps say about this machine: facts about it, and what it computes from a few short files."""
    from audiopipe.transform import probe

    return probe.record(config)
