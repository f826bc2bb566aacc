"""Feature sets that are stored once and read with a normalization: its bits are those of the normalized config."""

import dataclasses
import pickle

import fsspec
import numpy as np
import pytest
import restoring
import synthetic_sets
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, CONFIG, feature

from audiopipe import FeatureSet, Statistics, Transform, configs, fingerprint_of, load, tfdata
from audiopipe.errors import ArgumentError, ConfigError, ConfigMismatchError
from audiopipe.inputs.columns import Columns

SIZES = (0, 1, 5, 6, 7, 30)
CROP = 6
DECIBEL = dataclasses.replace(CONFIG, return_decibel=True)
TWO_QUANTITIES = configs.StftMagPhase(
    sample_rate=16000,
    n_fft=38,
    hop_length=10,
    channels=None,
    return_decibel=True,
    input_data_format="channels_last",
    output_data_format="channels_first",
)


def statistics(config, seed=0):
    """Returns numbers that no float32 has, so that a wrong order of roundings is seen."""
    draw = np.random.default_rng(seed)
    shape = config.n_bins, config.feature_channels or len(config.quantities)
    return Statistics(mean=draw.normal(-3, 2, shape), std=draw.uniform(0.1, 9, shape))


def standardized(values, numbers, config):
    """Returns `(values - mean) / std` in float32, with a loop over channels and in another order of axes."""
    per_channel = np.moveaxis(values, config.channel_axis, 0)
    channels = len(per_channel) // len(config.quantities)
    result = []
    for channel, frames in enumerate(per_channel):
        place = channel if numbers.mean.shape[1] == len(per_channel) else channel // channels
        mean, std = numbers.mean[:, place].astype(np.float32), numbers.std[:, place].astype(np.float32)
        result.append((frames - mean) / std)
    return np.moveaxis(np.array(result, np.float32).reshape(per_channel.shape), 0, config.channel_axis)


def write(folder, config=CONFIG, channels=1, **options):
    bins = config.n_bins
    draw = np.random.default_rng(1)
    clips = {}
    for size in SIZES:
        shape = list(config.feature_shape(size, config.channels or channels))
        shape[config.frame_axis], shape[shape.index(bins)] = size, bins
        clips[f"{size}"] = draw.normal(-3, 5, shape).astype(np.float32)
    synthetic_sets.write(folder, clips, config, **options)
    return clips


def assert_features(elements, expected):
    """Asserts that elements have these features, in any order."""
    found = {}
    for element in elements:
        clip_id = element["id"].decode() if isinstance(element["id"], bytes) else element["id"]
        np.testing.assert_array_equal(element["feature"], expected[clip_id], strict=True)
        found[clip_id] = element
    assert found.keys() == expected.keys()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, config, mel, samples):
    """Returns a feature set of audio, its normalized config, and the features of a transform of that config."""
    folder = tmp_path_factory.mktemp("recorded") / "features"
    columns = Columns(types={"label": "int"}, classes={"label": ["a", "b"]})
    clips = {name: (mel(clip), {"label": "ab"[len(name) % 2]}) for name, clip in samples.items()}
    synthetic_sets.write(folder, clips, config, columns)
    normalized = config.normalized(statistics(config))
    transform = Transform(normalized)
    return folder, normalized, {name: transform(clip) for name, clip in samples.items()}


# Each loads all clips of a feature set, given a view that normalizes it.
WAYS = {
    "a folder": lambda sets, view: load(sets.path, view.config),
    "a feature set and a transform": lambda sets, view: load(sets, Transform(view.config)),
    "a view and the front end of a model": lambda sets, view: load(view, view.config.layer()),
    "a list and a view as the expected config": lambda sets, view: load([sets[::2], sets[1::2]], view),
    "shuffled": lambda sets, view: load(sets.path, view.config, shuffle=True, columns=[]),
    "a view in reverse": lambda sets, view: load(view[::-1]),
    "parts of views of views": lambda sets, view: load(
        list(view.select(view.ids).split({"a": 0.5, "b": 0.5}).values())
    ),
    "joined views": lambda sets, view: load([view[:2], view[2:]]),
}


@pytest.mark.cases(2)
@pytest.mark.parametrize("way", WAYS)
def test_load_gives_the_bits_of_the_transform_of_the_normalized_config(recorded, way):
    folder, normalized, expected = recorded
    sets = FeatureSet(folder)
    assert_features(WAYS[way](sets, sets.normalized(normalized)).as_numpy_iterator(), expected)


@pytest.mark.cases(2)
@pytest.mark.parametrize("way", ["crops", "items", "items of one set", "balance"])
def test_random_elements_have_the_bits_of_the_transform_of_the_normalized_config(recorded, way):
    folder, normalized, expected = recorded
    sets = FeatureSet(folder)
    view = sets.normalized(normalized)
    dataset = {
        "items of one set": lambda: load([sets, sets[:2]], normalized, weights=[1, 2], seed=0),
        "items": lambda: load([view[:2], view[2:]], weights=[1, 1], seed=0),
        "balance": lambda: load(view, balance="label", seed=0),
        "crops": lambda: load(folder, normalized, crop_frames=4, seed=0),
    }[way]()
    for element in dataset.as_numpy_iterator():
        start = element.get("start_frame", 0)
        values = expected[element["id"].decode()][start : start + len(element["feature"])]
        np.testing.assert_array_equal(element["feature"], values, strict=True)


def test_a_feature_set_has_the_bits_of_the_transform_of_the_normalized_config(recorded, memory):
    folder, normalized, expected = recorded
    fsspec.filesystem("memory").put(str(folder), "/test", recursive=True)
    view = FeatureSet(folder).normalized(normalized)
    assert_features(view, expected)
    assert_features([view[name] for name in view.ids], expected)
    assert_features(FeatureSet([view[2:], view[:2]]), expected)
    assert_features(pickle.loads(pickle.dumps(view)), expected)
    assert_features(FeatureSet("memory://test").normalized(normalized), expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(view.read(name), values, strict=True)
        np.testing.assert_array_equal(view.read(name, start=3, stop=7), values[3:7], strict=True)


@pytest.mark.faults
def test_a_remote_set_has_the_bits_of_the_transform_of_the_normalized_config(recorded, memory):
    folder, normalized, expected = recorded
    fsspec.filesystem("memory").put(str(folder), "/test", recursive=True)
    for shuffle in (False, True):
        assert_features(load(memory, normalized, shuffle=shuffle).as_numpy_iterator(), expected)


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    ("config", "dtype", "per"),
    [
        (TWO_QUANTITIES, "float16", "bin"),
        (TWO_QUANTITIES, "float32", "bin"),
        (CONFIG, "float32", "global"),
        (TWO_QUANTITIES, "float32", "global"),
        (CHANNELS_FIRST, "bfloat16", "global"),
        (CHANNELS_FIRST, "float16", "bin"),
        (DECIBEL, "float32", "bin"),
        (ANY_CHANNELS, "float32", "bin"),
        (ANY_CHANNELS, "bfloat16", "bin"),
    ],
)
def test_values_crops_and_padding_are_those_of_the_stored_values_after_the_step(tmp_path, config, dtype, per):
    write(tmp_path / "features", config, channels=2, dtype=dtype)
    stored = FeatureSet(tmp_path / "features")
    view = stored.normalized(statistics(config), per=per)
    step = view.config.standardization
    shape = config.n_bins, len(step.mean[0])
    numbers = Statistics(mean=np.broadcast_to(step.mean, shape), std=np.broadcast_to(step.std, shape))
    expected = {clip["id"]: standardized(clip["feature"], numbers, config) for clip in stored}
    assert_features(view, expected)
    assert_features(load(view).as_numpy_iterator(), expected)
    assert_features(load(view[::-1]).as_numpy_iterator(), expected)
    axis = config.frame_axis
    padding = standardized(config.padding_frame(config.channels or 2), numbers, config)
    for crop in load(view, crop_frames=CROP, seed=2).as_numpy_iterator():
        values, start, n_frames = expected[crop["id"].decode()], crop["start_frame"], crop["n_frames"]
        real = np.take(values, range(start, start + n_frames), axis)
        whole = np.concatenate([real, np.repeat(padding, CROP - n_frames, axis)], axis)
        np.testing.assert_array_equal(crop["feature"], whole, strict=True)
    batches = tfdata.padded_batch(load(view, columns=[]), len(SIZES), view.config)
    [batch] = batches.as_numpy_iterator()
    for clip_id, values in zip(batch["id"], batch["feature"], strict=True):
        real = expected[clip_id.decode()]
        whole = np.concatenate([real, np.repeat(padding, 30 - real.shape[axis], axis)], axis)
        np.testing.assert_array_equal(values, whole, strict=True)


def test_a_view_has_the_identity_of_the_normalized_config(tmp_path):
    write(tmp_path / "features")
    sets = FeatureSet(tmp_path / "features")
    normalized = CONFIG.normalized(statistics(CONFIG))
    view = sets.normalized(statistics(CONFIG))
    assert view.config == normalized
    assert view.fingerprint == normalized.fingerprint == fingerprint_of(view).fingerprint
    assert (sets.config, sets.fingerprint) == (CONFIG, CONFIG.fingerprint)
    assert repr(view).endswith("6 clips, normalized>")
    again = pickle.loads(pickle.dumps(view[1:]))
    assert (again.config, again.ids) == (normalized, view.ids[1:])
    view.expect(normalized)
    assert view.normalized(normalized).fingerprint == view.fingerprint
    with pytest.raises(ConfigError, match="normalized"):
        view.normalized(statistics(CONFIG))


def test_statistics_of_a_view_are_those_of_the_values_that_it_returns(tmp_path):
    write(tmp_path / "features")
    sets = FeatureSet(tmp_path / "features")
    part = sets.select(["7", "30", "30"])
    before = part.statistics
    view = sets.normalized(before)
    for clips in (view.select(["7", "30", "30"]), view):
        found = clips.statistics
        frames = np.concatenate([clip["feature"] for clip in clips]).astype(np.float64)
        assert found.fingerprint == view.fingerprint
        np.testing.assert_array_equal(found.count, len(frames))
        np.testing.assert_allclose(found.std, frames.std(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(found.min, frames.min(axis=0))
        np.testing.assert_array_equal(found.max, frames.max(axis=0))
        np.testing.assert_allclose(found.mean, frames.mean(axis=0), rtol=0, atol=1e-12)
    normalized = view.select(["7", "30", "30"]).statistics
    np.testing.assert_allclose(normalized.mean, 0, atol=1e-7)
    np.testing.assert_allclose(normalized.std, 1, rtol=1e-6)
    assert FeatureSet(tmp_path / "features").select(["30", "7", "30"]).statistics == before
    with pytest.raises(ConfigError, match=view.fingerprint):
        sets.normalized(normalized)  # which are no statistics of the stored features


def test_the_numbers_must_be_those_of_this_feature(tmp_path):
    write(tmp_path / "features")
    sets = FeatureSet(tmp_path / "features")
    other = dataclasses.replace(statistics(CONFIG), fingerprint=DECIBEL.fingerprint)
    with pytest.raises(ConfigError, match=DECIBEL.fingerprint):
        sets.normalized(other)
    with pytest.raises(ConfigError, match="20 bins"):
        sets.normalized(Statistics(mean=[1.0], std=[1.0]))
    with pytest.raises(ArgumentError, match="is not normalized"):
        sets.normalized(CONFIG)
    with pytest.raises(ArgumentError, match=r"Statistics\.from_dict"):
        sets.normalized(statistics(CONFIG).to_dict())
    with pytest.raises(ArgumentError, match="per and eps belong to statistics"):
        sets.normalized(CONFIG.normalized(statistics(CONFIG)), per="global")


def test_statistics_of_features_of_an_earlier_release_fit_these_features(tmp_path, monkeypatch):
    write(tmp_path / "features")
    earlier = FeatureSet(tmp_path / "features")
    own = dataclasses.replace(statistics(CONFIG), fingerprint=earlier.fingerprint)
    monkeypatch.setattr(configs.MelSpectrogram, "kernel_version", CONFIG.kernel_version + 1)
    normalized = earlier.normalized(own)
    assert normalized.kernel_version == CONFIG.kernel_version - 1
    assert normalized.fingerprint != normalized.config.fingerprint
    with pytest.raises(ConfigMismatchError, match="kernel_version"):
        load(earlier, normalized.config)


def test_a_message_says_which_features_are_normalized_and_what_to_do(tmp_path):
    numbers, others = statistics(CONFIG), statistics(CONFIG, seed=1)
    normalized, otherwise = CONFIG.normalized(numbers), CONFIG.normalized(others)
    write(tmp_path / "base")
    write(tmp_path / "stored", normalized)
    base, stored = FeatureSet(tmp_path / "base"), FeatureSet(tmp_path / "stored")
    cases = [
        (lambda: load(stored, CONFIG), "holds normalized features, and the expected", "cannot be undone"),
        (lambda: load(tmp_path / "stored", otherwise), "were normalized by other", "config.without_normalization"),
        (lambda: load(base.normalized(numbers), CONFIG), "is normalized on reading, and", "made this view, or"),
        (lambda: load(base.normalized(numbers), otherwise), "is normalized on reading by other", "made this view."),
        (lambda: base.expect(normalized), "before the normalization of the expected config", "Normalize them"),
        (lambda: stored.normalized(otherwise), "were normalized by other numbers", "cannot be replaced"),
        (
            lambda: FeatureSet([base, base.normalized(numbers)]),
            "normalized in the same way",
            "normalize the joined set",
        ),
        (lambda: load([base[:2].normalized(others), base.normalized(numbers)], weights=[1, 1]), "same way", "joined"),
    ]
    for call, fault, advice in cases:
        with pytest.raises(ConfigMismatchError) as error:
            call()
        text = str(error.value)
        assert fault in text
        assert advice in text
        assert "Standardization(20 bins, mean" in text
        assert len(text) < 1000


def test_the_message_about_another_base_leaves_the_normalization_out(tmp_path):
    write(tmp_path / "features")
    normalized = DECIBEL.normalized(statistics(DECIBEL))
    with pytest.raises(ConfigMismatchError, match="Expected before its normalization") as error:
        load(tmp_path / "features", normalized)
    assert "return_decibel: True != False" in str(error.value)
    assert "standardization" not in str(error.value)


@pytest.mark.faults
def test_saved_iterators_continue_with_the_same_bits(tmp_path):
    clips = {f"{number:02d}": feature(1 + number % 5, seed=number) for number in range(20)}
    synthetic_sets.write(tmp_path / "features", clips, shards=3)

    def dataset():
        view = FeatureSet(tmp_path / "features").normalized(statistics(CONFIG))
        return load(view, columns=[], crop_frames=2, shuffle=True, seed=3).repeat(2)

    left = restoring.saved(dataset(), f"{tmp_path}/saved")
    assert restoring.left(restoring.restored(dataset(), f"{tmp_path}/saved")) == left
