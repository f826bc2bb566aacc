"""`Config.normalized`: numbers from statistics, what the config says of its feature, and what is refused."""

import dataclasses
import functools
import json
import pickle
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from silent_configs import EXAMPLES, channels_of

from audiopipe import Statistics, Transform, configs, layers, registry
from audiopipe.configs import normalizing, silence
from audiopipe.errors import ConfigError

MEL = configs.MelSpectrogram(sample_rate=16000, n_fft=512, hop_length=160, n_mels=5, return_decibel=True)


def statistics_of(config, channels=None, seed=0):
    """Returns statistics as a feature set of a config could have them."""
    draw = np.random.default_rng(seed)
    shape = config.n_bins, channels or config.feature_channels or len(config.quantities)
    mean, std = draw.normal(-20, 9, shape), draw.uniform(0.5, 12, shape)
    return Statistics(mean=mean, std=std, count=draw.integers(1, 99, shape), fingerprint=config.fingerprint)


def by_quantity(array, config):
    """Returns an array `[bins, channels]` as `[quantities, values]`."""
    return np.moveaxis(np.reshape(array, (len(array), len(config.quantities), -1)), 1, 0).reshape(
        len(config.quantities), -1
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_numbers_of_every_bin_are_those_of_the_statistics(name):
    base = EXAMPLES[name]
    statistics = statistics_of(base)
    made = base.normalized(statistics).standardization
    np.testing.assert_array_equal(made.mean, statistics.mean.astype(np.float32))
    np.testing.assert_array_equal(made.std, statistics.std.astype(np.float32))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_global_numbers_are_those_of_all_values_of_a_quantity(name):
    base = EXAMPLES[name]
    statistics = statistics_of(base)
    made = base.normalized(statistics, per="global").standardization
    count, mean, std = (by_quantity(getattr(statistics, field), base) for field in ("count", "mean", "std"))
    expected = np.average(mean, axis=1, weights=count)
    squares = np.average(std**2 + (mean - expected[:, None]) ** 2, axis=1, weights=count)
    assert (made.n_bins, made.n_channels) == (1, len(base.quantities))
    np.testing.assert_allclose(made.mean[0], expected, rtol=1e-7)
    np.testing.assert_allclose(made.std[0], np.sqrt(squares), rtol=1e-7)


def test_statistics_without_counts_have_bins_of_equal_weight():
    made = MEL.normalized(Statistics(mean=[-4.0, -2, 0, 2, 4], std=np.ones(5)), per="global").standardization
    assert made.mean == ((0.0,),)
    assert made.std == ((3.0,),)


def test_one_number_for_each_quantity_fits_a_config_of_several_channels():
    base = dataclasses.replace(MEL, channels=2)
    assert base.normalized(statistics_of(base, channels=1)).standardization.n_channels == 1
    assert base.normalized(statistics_of(base)).standardization.n_channels == 2


def test_a_constant_bin_is_divided_by_eps():
    statistics = Statistics(mean=np.full(5, 3.0), std=[0.0, 1e-7, 1e-5, 2e-5, 1.0])
    assert MEL.normalized(statistics).standardization.std == tuple(
        (float(np.float32(value)),) for value in (1e-5, 1e-5, 1e-5, 2e-5, 1.0)
    )
    assert MEL.normalized(statistics, eps=0.5).standardization.std[0] == (0.5,)


def test_a_normalized_config_is_a_feature_of_its_own_and_gives_its_base_back():
    config = MEL.normalized(statistics_of(MEL))
    assert type(config) is type(MEL)
    assert config.without_normalization == MEL
    assert config.without_normalization.fingerprint == MEL.fingerprint
    assert MEL.without_normalization is MEL
    fingerprints = {
        MEL.fingerprint,
        config.fingerprint,
        MEL.normalized(statistics_of(MEL, seed=1)).fingerprint,
        MEL.normalized(statistics_of(MEL), per="global").fingerprint,
        MEL.normalized(statistics_of(MEL), eps=100.0).fingerprint,
    }
    assert len(fingerprints) == 5


def test_the_numbers_are_in_the_identity_form_and_the_stamp_only_if_they_are_set():
    assert "standardization" not in MEL.identity()
    config = MEL.normalized(statistics_of(MEL))
    assert config.identity() == {**MEL.identity(), "standardization": config.standardization.to_dict()}
    assert json.loads(config.stamp())["config"] == config.identity()


def test_copies_files_and_the_registry_keep_the_config(tmp_path):
    config = MEL.normalized(statistics_of(MEL))
    names = registry.Registry(environment=False)
    names.register("team", config)
    names.save(tmp_path / "names.json")
    loaded = registry.Registry(environment=False)
    loaded.load(tmp_path / "names.json")
    (tmp_path / "config.json").write_text(config.to_json())
    for again in (
        pickle.loads(pickle.dumps(config)),
        configs.from_dict(config.to_dict()),
        configs.from_json(config.to_json()),
        loaded.get(f"team@{config.fingerprint[:8]}"),
        Transform(tmp_path / "config.json").config,
    ):
        assert again == config
        assert (again.fingerprint, hash(again)) == (config.fingerprint, hash(config))
    assert pickle.dumps(config) == pickle.dumps(configs.from_json(config.to_json()))


def test_differences_show_a_digest_and_no_long_lists():
    config, other = MEL.normalized(statistics_of(MEL)), MEL.normalized(statistics_of(MEL, seed=1))
    assert config.diff(MEL) == f"standardization: {config.standardization!r} != None"
    assert config.diff(other) == f"standardization: {config.standardization!r} != {other.standardization!r}"
    assert config.diff(dataclasses.replace(config, hop_length=100)) == "hop_length: 160 != 100"
    assert repr(config.standardization) in repr(config)
    assert config.diff(pickle.loads(pickle.dumps(config))) == ""


def test_quantities_are_called_normalized_once():
    assert MEL.normalized(statistics_of(MEL)).quantities == ("normalized decibel",)
    for config, expected in (
        (configs.StftMagPhase(n_fft=8), ("normalized magnitude", "normalized phase")),
        (configs.LogMel(n_mels=5, normalization="clip"), ("normalized log power",)),
        (configs.NormalizedWaveform(), ("normalized waveform",)),
    ):
        assert config.normalized(statistics_of(config)).quantities == expected


@pytest.mark.cases(3)
@pytest.mark.parametrize("per", ["bin", "global"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_silence_is_what_the_layer_computes(name, per):
    config = EXAMPLES[name].normalized(statistics_of(EXAMPLES[name]), per)
    computed = silence.of_zeros(config)
    assert np.shape(config.silence) == np.shape(computed)
    np.testing.assert_array_equal(config.silence, computed)


@pytest.mark.parametrize("per", ["bin", "global"])
@pytest.mark.parametrize("name", ["padding-unlike-silence", "StftMagPhase", "phase-channels-first", "Mfcc"])
def test_padding_is_the_normalized_padding_of_the_base(name, per):
    base = EXAMPLES[name]
    config = base.normalized(statistics_of(base), per)
    for channels in channels_of(config):
        expected = config.standardization.apply(base.padding_frame(channels), base)
        np.testing.assert_array_equal(config.padding_frame(channels), expected)


def test_a_config_class_of_another_package_is_normalized_without_knowing_of_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2] / "examples" / "own_feature")])
    import team_features

    base = team_features.FLUX_40
    config = base.normalized(statistics_of(base))
    assert config.quantities == ("normalized log power", "normalized flux")
    layer = config.layer(name="front")
    assert (layer.name, layer.config_json) == ("front", config.to_json())
    waveform = np.random.default_rng(0).uniform(-1, 1, (1, 2000, 1)).astype(np.float32)
    feature = base.layer()(waveform).numpy()
    np.testing.assert_array_equal(layer(waveform), config.standardization.apply(feature, base))
    np.testing.assert_array_equal(silence.of_zeros(config), config.silence)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_the_layer_computes_in_float32_whatever_the_policy_of_the_model(policy):
    config = MEL.normalized(statistics_of(MEL))
    waveform = np.random.default_rng(0).uniform(-1, 1, (1, 2000, 1)).astype(np.float32)
    expected = config.layer()(waveform).numpy()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        found = config.layer()(waveform).numpy()
    finally:
        keras.config.set_dtype_policy(before)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


class Halved:
    """Part of a config class that changes the feature, and that is no config itself."""

    @property
    def quantities(self):
        """Name of the half."""
        return ("half",)

    decibels_per_unit = property(lambda config: 2.0)

    @functools.cached_property
    def padding(self):
        """Half of silence."""
        return np.asarray(self.silence) / 2

    def layer(self, name=None):
        """Returns the layer of the other base class, and one that halves."""
        layer = super().layer(name)
        layer.add(layers.Standardize(0.0, 2.0, "channels_last", dtype="float32"))
        layer.config_json = self.to_json()
        return layer


@dataclasses.dataclass(frozen=True, kw_only=True)
class HalvedMel(Halved, configs.MelSpectrogram):
    output_data_format: str = "channels_last"


def test_members_that_come_from_another_base_class_are_extended_too():
    base = HalvedMel(n_fft=512, hop_length=160, n_mels=5, return_decibel=True)
    config = base.normalized(statistics_of(base))
    waveform = np.random.default_rng(0).uniform(-1, 1, (1, 2000, 1)).astype(np.float32)
    feature = base.layer()(waveform).numpy()
    np.testing.assert_array_equal(config.layer()(waveform), config.standardization.apply(feature, base))
    assert (base.quantities, base.decibels_per_unit) == (("half",), 2.0)
    assert (config.quantities, config.decibels_per_unit) == (("normalized half",), None)
    np.testing.assert_array_equal(config.padding_frame(1), config.standardization.apply(base.padding_frame(1), base))


def test_a_layer_of_another_package_must_be_a_composed_layer(monkeypatch):
    config = dataclasses.replace(MEL, n_mels=6).normalized(Statistics(mean=np.zeros(6), std=np.ones(6)))
    monkeypatch.setattr(type(MEL), "layer", normalizing._extended_layer(lambda config, name=None: object()))
    with pytest.raises(ConfigError, match=r"must return an audiopipe.layers.ComposedLayer.*Received: object"):
        config.layer()


def test_statistics_of_another_feature_are_refused():
    other = dataclasses.replace(MEL, hop_length=100)
    with pytest.raises(ConfigError, match=f"fingerprint {MEL.fingerprint}. Received: .*{other.fingerprint}"):
        MEL.normalized(statistics_of(other))


def test_statistics_of_an_older_kernel_version_are_refused():
    old = dataclasses.replace(statistics_of(MEL), fingerprint=MEL.fingerprint_at(MEL.kernel_version - 1))
    message = f"of kernel version {MEL.kernel_version}. Received: statistics of kernel version {MEL.kernel_version - 1}"
    with pytest.raises(ConfigError, match=message):
        MEL.normalized(old)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"per": "clip"}, r"MelSpectrogram.normalized: per must be one of 'bin', 'global'. Received: per='clip'"),
        ({"eps": 0.0}, "eps must be at least"),
        ({"eps": float("nan")}, "eps must be finite"),
        ({"eps": "1"}, "eps must be a number"),
        ({"statistics": Statistics(mean=np.zeros(4), std=np.ones(4))}, r"each of the 5 bins and 1 channel.*\[4, 1\]"),
        ({"statistics": Statistics(mean=np.zeros((5, 2)), std=np.ones((5, 2)))}, r"Received: a mean of shape \[5, 2\]"),
        ({"statistics": Statistics(mean=np.full(5, 1e39), std=np.ones(5))}, r"mean\[0\]\[0\] must be at most"),
        ({"statistics": np.zeros(5)}, r"needs statistics.*Received: ndarray"),
        ({"statistics": None}, r"needs statistics, such as .*Received: NoneType"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        MEL.normalized(**{"statistics": Statistics(mean=np.zeros(5), std=np.ones(5)), **arguments})


def test_a_normalized_config_is_not_normalized_again():
    config = MEL.normalized(statistics_of(MEL))
    with pytest.raises(ConfigError, match=r"Received: a MelSpectrogram with Standardization\(5 bins.*without_normal"):
        config.normalized(statistics_of(config))


def test_another_number_of_bins_needs_other_statistics():
    config = MEL.normalized(statistics_of(MEL))
    with pytest.raises(ConfigError, match=r"must have 1 or 6 bins.*Received: 5 bins and 1 channel"):
        dataclasses.replace(config, n_mels=6)
