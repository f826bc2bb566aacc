"""Which values of a clip count for the statistics, and in which bin and channel."""

import dataclasses

import numpy as np
import pytest

from audiopipe import configs
from audiopipe.errors import AudioError
from audiopipe.feature_sets import clip_sums, dtypes, records
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.inputs.columns import Columns

FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
STEREO = configs.StftMagPhase(n_fft=8, channels=2, **FIXED)
FIRST = dataclasses.replace(STEREO, output_data_format="channels_first")
ANY = dataclasses.replace(STEREO, channels=None)


def noise(n_frames, channels=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n_frames, 5, channels)).astype(np.float32)


def statistics(config, *features, valid_frames=None, dtype="float32"):
    sums = ClipSums(config)
    for feature in features:
        sums.add(feature, valid_frames, dtype)
    return sums.sums.statistics()


def test_each_channel_has_statistics_if_their_number_is_fixed():
    feature = noise(9)
    found = statistics(STEREO, feature)
    np.testing.assert_allclose(found.mean, feature.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(found.std, feature.std(axis=0, dtype=np.float64), rtol=1e-12)


def test_channels_first_gives_the_same_bits():
    feature = noise(9)
    assert statistics(FIRST, np.moveaxis(feature, -1, 0)) == statistics(STEREO, feature)


def test_channels_of_a_clip_are_summed_together_if_their_number_is_not_fixed():
    mono, stereo = noise(7, 2), noise(9, 4, seed=1)
    found = statistics(ANY, mono, stereo)
    # The magnitudes of all channels come before their phases.
    for quantity in range(2):
        own = (mono[..., quantity : quantity + 1], stereo[..., 2 * quantity : 2 * quantity + 2])
        values = np.concatenate([np.moveaxis(feature, 1, 0).reshape(5, -1) for feature in own], axis=1)
        assert (found.count[:, quantity] == 7 + 2 * 9).all()
        np.testing.assert_allclose(found.mean[:, quantity], values.mean(axis=1, dtype=np.float64), rtol=1e-12)
        np.testing.assert_array_equal(found.max[:, quantity], values.max(axis=1))


@pytest.mark.parametrize("config", [STEREO, FIRST, ANY])
def test_padding_does_not_count(config):
    feature = noise(9)
    feature[6:] = np.nan
    own = np.moveaxis(feature, -1, 0) if config is FIRST else feature
    kept = own[:, :6] if config is FIRST else own[:6]
    assert statistics(config, own, valid_frames=6) == statistics(config, kept)


def test_all_frames_count_if_the_number_of_valid_ones_is_not_known():
    assert (statistics(STEREO, noise(9), valid_frames=None).count == 9).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_values_are_those_that_the_storage_dtype_holds(dtype):
    feature = noise(50) * np.float32(3.3)
    stored = dtypes.store(feature, dtype)[0].astype(np.float32)
    found = statistics(STEREO, feature, dtype=dtype)
    assert found == statistics(STEREO, stored)
    assert found != statistics(STEREO, feature)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("config", [STEREO, FIRST, ANY])
def test_records_give_the_bits_of_the_features_that_they_were_made_of(config, dtype):
    feature = noise(2500) * np.float32(1.7)
    own = np.moveaxis(feature, -1, 0) if config is FIRST else feature
    place, columns = records.Place("00000000000000ab", 0), Columns(types={})
    record, _ = records.encode("clip", own, config, {}, columns, place, dtype, valid_frames=2400)
    new, copied = ClipSums(config), ClipSums(config)
    new.add(own, 2400, dtype)
    copied.add_record(record, 2400)
    assert new.sums == copied.sums


def test_long_clips_give_the_same_bits_in_any_memory_layout(monkeypatch):
    monkeypatch.setattr(clip_sums, "_VALUES_AT_ONCE", 20 * 700)
    feature = noise(2000)
    assert statistics(STEREO, feature) == statistics(STEREO, np.asfortranarray(feature))
    np.testing.assert_allclose(statistics(STEREO, feature).mean, feature.mean(axis=0, dtype=np.float64), rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_new_clip_must_be_finite_and_a_stored_one_leaves_no_sums(value):
    feature = noise(9)
    feature[3, 2, 1] = value
    sums = ClipSums(STEREO)
    with pytest.raises(AudioError, match="finite") as raised:
        sums.add(feature, None, "float32")
    assert raised.value.stage == "feature"
    assert sums.sums == clip_sums.empty(STEREO)
    sums.add_stored(feature, None)
    sums.add(noise(9), None, "float32")
    assert sums.sums is sums.to_dict() is None


def test_a_feature_of_another_shape_cannot_be_added():
    with pytest.raises(AudioError, match="shape of its config"):
        ClipSums(STEREO).add(noise(9, 2), None, "float32")
