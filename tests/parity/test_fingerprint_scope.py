"""Changes that affect a fingerprint and changes that do not, from the config to the feature set."""

import dataclasses

import numpy as np
import pytest

from audiopipe import audio, beam, configs, load
from audiopipe.configs import config_classes
from audiopipe.errors import ConfigMismatchError
from audiopipe.feature_sets.description import Description
from audiopipe.registry import Registry


def features(path, config):
    return {item["id"].numpy().decode(): item["feature"].numpy() for item in load(path, config=config)}


def test_names_do_not_change_the_fingerprint(config):
    registry = Registry(environment=False)
    registry.register("one", config)
    registry.register("another", dataclasses.replace(config))
    assert registry.get("one").fingerprint == registry.get("another").fingerprint == config.fingerprint


def test_folder_and_number_of_shards_change_neither_the_fingerprint_nor_the_bits(
    shared_feature_set, clips, config, tmp_path
):
    beam.precompute(clips / "manifest.jsonl", tmp_path / "elsewhere", config, num_shards=3)
    first, second = Description.open(shared_feature_set), Description.open(tmp_path / "elsewhere")
    assert (len(first.shards), len(second.shards)) == (2, 3)
    assert first.fingerprint == second.fingerprint == config.fingerprint
    expected = features(shared_feature_set, config)
    found = features(tmp_path / "elsewhere", config)
    assert found.keys() == expected.keys() == {"mono", "stereo", "resampled", "quiet"}
    for name, feature in expected.items():
        np.testing.assert_array_equal(found[name], feature)


@pytest.mark.parametrize("quality", ["QQ", "LQ", "MQ", "VHQ"])
def test_the_quality_of_the_resampler_changes_the_bits_and_the_fingerprint(config, clips, quality):
    other = dataclasses.replace(config, resampler_quality=quality)
    read = {
        each: audio.read(clips / "resampled.wav", sample_rate=8000, resampler_quality=each) for each in ("HQ", quality)
    }
    assert not np.array_equal(read["HQ"], read[quality])
    assert other.fingerprint != config.fingerprint


def test_a_later_release_with_a_new_field_reads_features_of_this_release(shared_feature_set, config, monkeypatch):
    expected = features(shared_feature_set, config)
    later = dataclasses.make_dataclass(
        "StftMagnitude",
        [("tilt", float, configs.later_field(0.0))],
        bases=(configs.StftMagnitude,),
        frozen=True,
        kw_only=True,
    )
    later.__module__ = configs.StftMagnitude.__module__
    monkeypatch.setitem(config_classes._classes, "StftMagnitude", later)
    fields = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    found = features(shared_feature_set, later(**fields))
    assert all(np.array_equal(found[name], feature) for name, feature in expected.items())
    with pytest.raises(ConfigMismatchError, match=r"tilt: .*0\.5") as caught:
        load(shared_feature_set, config=later(**fields, tilt=0.5))
    assert config.fingerprint in str(caught.value)
    assert later(**fields, tilt=0.5).fingerprint in str(caught.value)
