"""Making a transform finds a config class of another package whose layer does not compute what the config says."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiopipe import Transform, configs, layers
from audiopipe.configs import config_classes
from audiopipe.errors import ConfigError


class Unknown(keras.layers.Layer):
    """Layer whose number of frames only a computation shows."""

    def __init__(self, dropped=0, **kwargs):
        super().__init__(**kwargs)
        self.dropped = dropped

    def call(self, feature):
        return tf.boolean_mask(feature, tf.range(tf.shape(feature)[1]) >= self.dropped, axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Own(configs.Config):
    """Mel spectrogram with mistakes on request."""

    mistake: str = ""
    sample_rate: int = 8000
    data_format: str = "channels_last"

    @property
    def output_data_format(self):
        return self.data_format

    @property
    def _mel(self):
        return configs.LogMel(sample_rate=8000, n_fft=64, n_mels=7, edges="snip", output_data_format=self.data_format)

    def layer(self, name=None):
        chain = [*self._mel.layer().layers]
        if self.mistake == "bins":
            chain.append(layers.LogmelToMFCC(5, self.data_format))
        if self.mistake in ("unknown", "dropped"):
            chain.append(Unknown(dropped=1 if self.mistake == "dropped" else 0, dtype="float32"))
        if self.mistake == "rank":
            chain.append(keras.layers.Reshape((-1,)))
        layer = layers.ComposedLayer(chain, output_dtype="float16" if self.mistake == "dtype" else "float32")
        layer.config_json = None if self.mistake == "stamp" else self.to_json()
        return layer

    @property
    def quantities(self):
        return ("log power", "flux") if self.mistake == "channels" else ("log power",)

    @property
    def n_bins(self):
        return 7

    def frequencies(self):
        return np.arange(8.0 if self.mistake == "frequencies" else 7.0)

    def n_frames(self, n_samples):
        return self._mel.n_frames(n_samples) + (1 if self.mistake == "frames" else 0)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            "bins",
            "For a clip of 96 samples and 1 channel, the config describes [frames, bins, channels] = [3, 7, 1]. "
            "Received from the layer: [3, 5, 1]. Correct the layer, or `n_bins` and `frequencies` for the bins of the "
            "class.",
        ),
        ("channels", "[3, 7, 2]. Received from the layer: [3, 7, 1]. Correct the layer, or `quantities` for the"),
        ("frames", "[3, 7, 1]. Received from the layer: [2, 7, 1]. Correct the layer, or `n_frames` for the frames"),
        ("dropped", "[3, 7, 1]. Received from the layer: [2, 7, 1]. Correct the layer, or `n_frames` for the frames"),
        ("rank", "[3, 7, 1]. Received from the layer: [21]. Correct the layer, or `n_frames` for the frames, "),
        ("dtype", "Own.layer must return float32. Received: float16."),
        ("stamp", "Own.layer must return a layer that keeps the config"),
        ("frequencies", "Own.frequencies must return one number for each of the 7 bins. Received: an array of shape"),
    ],
)
def test_a_mistake_is_named_when_the_transform_is_made(mistake, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Transform(Own(mistake=mistake))


def test_axes_are_named_in_the_order_of_the_data_format():
    message = "[channels, frames, bins] = [1, 3, 7]. Received from the layer: [1, 3, 5]."
    with pytest.raises(ConfigError, match=re.escape(message)):
        Transform(Own(mistake="bins", data_format="channels_first"))


@pytest.mark.parametrize("mistake", ["", "unknown"])
def test_a_config_without_mistakes_computes_its_feature(mistake):
    clip = np.random.default_rng(0).uniform(-1, 1, 500).astype(np.float32)
    config = Own(mistake=mistake)
    np.testing.assert_array_equal(Transform(config)(clip), Transform(config._mel)(clip))


def test_a_class_that_only_overrides_layer_is_found_by_its_name():
    assert config_classes.find(config_classes.name_of(Own)) is Own
    assert configs.from_json(Own().to_json()) == Own()
