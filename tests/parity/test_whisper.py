"""`WhisperLogMel` equals `transformers.WhisperFeatureExtractor` and has the same bits through every door."""

import functools
from pathlib import Path

import datasets
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audiopipe import Transform, beam, configs, hf, load, registry, tfdata
from audiopipe.verification import set_check

transformers = pytest.importorskip("transformers")
extraction = pytest.importorskip("transformers.models.whisper.feature_extraction_whisper")

TOLERANCE = 1e-4
CHUNK = 480_000
PATHS = ["torch", "numpy"]


@pytest.fixture(scope="module")
def whole():
    """Transform without chunks, which is fast for short clips."""
    return Transform(configs.WhisperLogMel(chunk_seconds=None, output_data_format="channels_last"))


@pytest.fixture(scope="module", params=["whisper-80", "whisper-128"])
def transform(request):
    return Transform(request.param)


# A config of another size computes with the same operations, so one of both sizes is enough for the doors.
of_one_size = pytest.mark.parametrize("transform", ["whisper-128"], indirect=True)


@pytest.fixture(params=PATHS)
def peer(request, monkeypatch):
    """Function that computes features `[frames, n_mels]` with the torch or the NumPy code of the extractor."""
    if request.param == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr(extraction, "is_torch_available", lambda: request.param == "torch")

    def extract(clip, n_mels=80, **arguments):
        extractor = transformers.WhisperFeatureExtractor(feature_size=n_mels)
        return extractor(clip, sampling_rate=16000, return_tensors="np", **arguments).input_features[0].T

    return extract


def noise(samples, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def assert_equal(found, expected):
    assert sorted(found) == sorted(expected)
    for name, feature in expected.items():
        np.testing.assert_array_equal(found[name], feature, err_msg=name)


@pytest.mark.cases(2)
def test_recordings_equal_the_extractor(transform, folder, expected, peer):
    for name, feature in expected.items():
        theirs = peer(transform.read(folder / name)[:, 0], transform.config.n_mels)
        assert feature.shape == (*theirs.shape, 1)
        np.testing.assert_allclose(feature[..., 0], theirs, rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.cases(3)
@pytest.mark.parametrize("samples", [1, 201, 8000, 479_640, 479_841, 479_999, CHUNK, CHUNK + 20_000])
def test_a_clip_of_any_length_is_padded_or_cut_as_in_the_extractor(samples, peer):
    clip = noise(samples)
    np.testing.assert_allclose(Transform("whisper-80")(clip)[..., 0], peer(clip), rtol=0, atol=TOLERANCE)


@pytest.mark.cases(5)
@pytest.mark.parametrize("level", [0.0, 1e-7, 1e-4, 1.0, 1000.0])
def test_silent_and_loud_clips_equal_the_extractor(level, peer):
    clip = noise(20_000, level=level)
    clip[10_000:] *= 1e-3
    np.testing.assert_allclose(Transform("whisper-80")(clip)[..., 0], peer(clip), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("samples", [201, 319, 320, 16_000, 33_333])
def test_a_clip_that_is_not_padded_equals_the_extractor(whole, samples, peer):
    clip = noise(samples)
    theirs = peer(clip, padding="do_not_pad", truncation=False)
    feature = whole(clip)[..., 0]
    assert feature.shape == theirs.shape == (samples // 160, 80)
    np.testing.assert_allclose(feature, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("peer", ["numpy"], indirect=True)
@pytest.mark.parametrize("samples", [160, 177, 200])
def test_a_clip_shorter_than_its_reflection_is_reflected_repeatedly_as_with_numpy(whole, samples, peer):
    clip = noise(samples)
    theirs = peer(clip, padding="do_not_pad", truncation=False)
    np.testing.assert_allclose(whole(clip)[..., 0], theirs, rtol=0, atol=TOLERANCE)


@settings(max_examples=5, deadline=None)
@example(0, 0, 1.0)
@example(1, 0, 1.0)
@example(7999, 0, 1.0)
@example(8000, 0, 1.0)
@given(st.integers(0, 8000) | st.integers(7500, 9000), st.integers(0, 9), st.sampled_from([1.0, 1e-3, 0.0]))
def test_skipped_frames_have_the_bits_of_a_full_computation(samples, seed, level):
    layer, chunk = _layer_of_half_a_second(), 8000
    clip = noise(min(samples, 9000), seed, level)[:chunk]
    padded = np.pad(clip, (0, chunk - len(clip)))
    np.testing.assert_array_equal(layer(clip[None, :, None]), layer(padded[None, :, None]))


@functools.cache
def _layer_of_half_a_second():
    return configs.WhisperLogMel(chunk_seconds=0.5, output_data_format="channels_last").layer()


def test_a_padded_chunk_of_thirty_seconds_has_the_bits_of_a_full_computation(transform):
    for samples in (1, 159_999, 479_640):
        clip = noise(samples)
        whole = transform(np.pad(clip, (0, CHUNK - samples)))
        np.testing.assert_array_equal(transform(clip).view(np.uint32), whole.view(np.uint32))


def test_only_frames_that_overlap_the_clip_are_computed(monkeypatch):
    seen, rfft = [], tf.signal.rfft
    monkeypatch.setattr(tf.signal, "rfft", lambda frames, length: seen.append(frames.shape[-2]) or rfft(frames, length))
    tf.function(registry.get("whisper-80").layer())(tf.constant(noise(16_000)[None, :, None]))
    assert 102 <= seen[-1] <= 103


@of_one_size
def test_a_batch_with_lengths_has_the_bits_of_its_clips(transform):
    lengths = [0, 1, 16_000, 30_000]
    clips = [noise(samples, seed) for seed, samples in enumerate(lengths)]
    batch = np.full((4, 30_000, 1), 7.0, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip), 0] = clip
    features = transform(batch, lengths=lengths)
    assert transform.n_frames(lengths).tolist() == [3000] * 4
    for clip, feature in zip(clips, features, strict=True):
        np.testing.assert_array_equal(feature, transform(clip))


def test_a_saved_layer_has_the_same_bits_and_a_known_number_of_frames(tmp_path):
    inputs = keras.Input((None, 1))
    model = keras.Model(inputs, registry.get("whisper-80").layer()(inputs))
    assert model.output_shape == (None, 3000, 80, 1)
    model.save(tmp_path / "model.keras")
    clip = noise(16_000)[None, :, None]
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(clip), model(clip))


@of_one_size
def test_tf_data_equals_the_transform(transform, folder, expected):
    elements = tfdata.from_audio(folder, transform.config).map(transform, num_parallel_calls=2)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in elements}, expected)


@of_one_size
def test_tf_data_padded_batches_equal_the_transform(transform, folder, expected):
    batch = next(iter(tfdata.from_audio(folder, transform.config).padded_batch(len(expected)).map(transform)))
    names = [name.decode() for name in batch["id"].numpy()]
    assert_equal(dict(zip(names, batch["feature"].numpy(), strict=True)), expected)
    assert batch["n_frames"].numpy().tolist() == [3000] * len(expected)


@of_one_size
def test_datasets_map_equals_the_transform_for_paths_and_bytes(transform, folder, expected):
    files = [str(folder / name) for name in expected]
    stored = [{"bytes": Path(path).read_bytes(), "path": None} for path in files]
    for column in (files, stored):
        mapped = hf.map(datasets.Dataset.from_dict({"audio": column, "name": list(expected)}), transform)
        assert mapped.features["feature"].shape == (None, transform.config.n_mels)
        rows = mapped.with_format("numpy")
        mono = {name: feature[..., 0] for name, feature in expected.items()}
        assert_equal({row["name"]: row["feature"] for row in rows}, mono)


@of_one_size
def test_precomputed_features_equal_the_transform_and_verify(transform, folder, expected, tmp_path):
    beam.precompute(folder, tmp_path / "features", transform.config, num_shards=2)
    found = load(tmp_path / "features", config=transform.config)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in found}, expected)
    assert set_check.verify(tmp_path / "features", folder).ok
