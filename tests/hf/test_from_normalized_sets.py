"""`hf.from_feature_set` with a normalized config: rows have its features and its type, whatever the cache holds."""

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import CONFIG, feature

from audiopipe import FeatureSet, Statistics, Transform, fingerprint_of, hf, load
from audiopipe.errors import ConfigMismatchError

pytestmark = pytest.mark.usefixtures("quiet_bars")


@pytest.fixture
def sets(tmp_path):
    synthetic_sets.write(tmp_path / "features", {f"{size}": feature(size, seed=size) for size in (0, 3, 7)})
    return FeatureSet(tmp_path / "features")


def normalized(seed=0):
    draw = np.random.default_rng(seed)
    return CONFIG.normalized(Statistics(mean=draw.normal(0, 1, 20), std=draw.uniform(0.1, 2, 20)))


def features(rows):
    found = rows.with_format("numpy")
    return {row["id"]: row["feature"][..., None] for row in found}


def assert_normalized(rows, config):
    assert fingerprint_of(rows).fingerprint == config.fingerprint
    assert rows.features["feature"] == hf.feature_type(config)
    mean, std = (np.array(values, np.float32) for values in (config.standardization.mean, config.standardization.std))
    for clip_id, values in features(rows).items():
        size = int(clip_id)
        np.testing.assert_array_equal(values, (feature(size, seed=size) - mean) / std, strict=True)


def test_each_normalization_has_its_own_rows_and_type(sets, tmp_path):
    cache = {"cache_dir": tmp_path / "cache"}
    first, second = normalized(0), normalized(1)
    base = hf.from_feature_set(sets, CONFIG, **cache)
    for source, config in [(sets.path, first), (sets, first), (sets.normalized(second), None), (sets, second)]:
        assert_normalized(hf.from_feature_set(source, config, **cache), config or second)
    assert fingerprint_of(hf.from_feature_set(sets, **cache)) == fingerprint_of(base)
    np.testing.assert_array_equal(features(base)["7"], feature(7, seed=7))
    assert len(list((tmp_path / "cache" / "audiopipe").iterdir())) == 3
    view = hf.from_feature_set(sets.normalized(first).where(id="7"), first, **cache)
    assert view["id"] == ["7"]
    assert_normalized(view, first)
    with pytest.raises(ConfigMismatchError, match="is normalized on reading"):
        hf.from_feature_set(sets.normalized(first), CONFIG, **cache)


def test_a_feature_set_made_of_normalized_rows_is_one_of_the_normalized_config(sets, tmp_path):
    config = normalized()
    rows = hf.from_feature_set(sets, config, cache_dir=tmp_path)
    made = hf.to_feature_set(rows, tmp_path / "made")
    assert (made.config, made.fingerprint) == (config, config.fingerprint)
    assert_normalized(hf.from_feature_set(made, Transform(config), cache_dir=tmp_path), config)
    with pytest.raises(ConfigMismatchError, match="holds normalized features"):
        load(made, CONFIG)
