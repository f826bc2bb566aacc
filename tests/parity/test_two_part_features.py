"""Features with two quantities per channel have the same bits through every door."""

from pathlib import Path

import datasets
import numpy as np
import pytest
import references
import soundfile

from audiopipe import Transform, beam, configs, hf, load, tfdata
from audiopipe.verification.set_check import verify

CLIPS = Path(__file__).parents[2] / "examples" / "audio"
NAMES = ("array/three-channels.wav", "chirp.wav", "speech.flac", "music/strings-stereo.ogg")
# 129 bins do not fill SIMD registers, and TensorFlow's own logarithm and atan2 round their tails differently.
SIZES = {"sample_rate": 8000, "n_fft": 256, "win_length": 200, "hop_length": 150}
CASES = {
    "stft": (configs.Stft, {}),
    "magnitude and phase": (configs.StftMagPhase, {}),
    "decibels and phase": (configs.StftMagPhase, {"return_decibel": True}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of links to a few clips. One has two channels and one has three."""
    folder = tmp_path_factory.mktemp("clips")
    for name in NAMES:
        (folder / Path(name).name).symlink_to(CLIPS / name)
    return folder


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, folder):
    """Transform, and the feature of every clip by the composed layer."""
    cls, arguments = CASES[request.param]
    transform = Transform(cls(**SIZES, **arguments))
    layer = transform.config.layer()
    clips = {path.name: transform.read(path) for path in sorted(folder.iterdir())}
    return transform, {name: layer(clip[None]).numpy()[0] for name, clip in clips.items()}


def assert_equal(found, expected):
    assert sorted(found) == sorted(expected)
    for name, feature in expected.items():
        assert found[name].shape == feature.shape
        np.testing.assert_array_equal(found[name], feature, err_msg=name)


def test_the_feature_of_a_mono_clip_has_two_channels(case):
    transform, expected = case
    assert all(feature.shape[1:] == (129, 2) and len(feature) > 10 for feature in expected.values())
    assert transform.config.feature_channels == 2


@pytest.mark.cases(1)
def test_transform_equals_the_layer(case, folder):
    transform, expected = case
    assert_equal({name: transform(transform.read(folder / name)) for name in expected}, expected)


@pytest.mark.cases(1)
def test_tf_data_equals_the_layer_one_by_one_and_in_padded_batches(case, folder):
    transform, expected = case
    clips = tfdata.from_audio(folder, transform.config)
    features = clips.map(transform)
    assert features.element_spec["feature"].shape == (None, 129, 2)
    assert_equal({item["id"].numpy().decode(): item["feature"].numpy() for item in features}, expected)
    for batch in clips.repeat(2).padded_batch(5).map(transform):
        for clip_id, feature, n_frames in zip(batch["id"], batch["feature"], batch["n_frames"], strict=True):
            name = clip_id.numpy().decode()
            np.testing.assert_array_equal(feature[:n_frames], expected[name], err_msg=name)
            assert (feature[n_frames:] == transform.config.padding_frame(1)).numpy().all()


@pytest.mark.cases(1)
def test_datasets_map_equals_the_layer(case, folder):
    transform, expected = case
    rows = datasets.Dataset.from_dict({"audio": [str(folder / name) for name in expected], "name": list(expected)})
    mapped = hf.map(rows, transform)
    assert mapped.features["feature"] == datasets.Array3D((None, 129, 2), "float32", id=transform.config.stamp())
    assert_equal({row["name"]: row["feature"] for row in mapped.with_format("numpy")}, expected)


# Decibels are computed from the magnitudes, so the other case has nothing new.
@pytest.mark.cases(1)
@pytest.mark.parametrize("case", ["stft", "decibels and phase"], indirect=True)
def test_precomputed_features_equal_the_layer_and_verify_agrees(case, folder, tmp_path):
    transform, expected = case
    beam.precompute(folder, tmp_path / "features", transform.config, num_shards=2)
    found = load(tmp_path / "features", config=transform.config)
    assert found.element_spec["feature"].shape == (None, 129, 2)
    assert_equal({item["id"].numpy().decode(): item["feature"].numpy() for item in found}, expected)
    report = verify(tmp_path / "features", folder)
    assert report.ok
    assert {comparison.clips for comparison in report.comparisons} == {len(expected)}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_stereo_clips_keep_both_channels_of_each_part(data_format, tmp_path):
    path = CLIPS / "music" / "strings-stereo.ogg"
    samples, rate = soundfile.read(path, dtype="float32")
    config = configs.Stft(**{**SIZES, "sample_rate": rate}, channels=2, output_data_format=data_format)
    feature = Transform(config)(samples)
    parts = np.moveaxis(feature, -1, 0) if data_format == "channels_last" else feature
    spectrograms = np.array([references.stft(samples[:, channel], 256, 200, 150) for channel in (0, 1)])
    expected = np.concatenate([spectrograms.real, spectrograms.imag])
    np.testing.assert_allclose(parts, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    rows = datasets.Dataset.from_dict({"audio": [str(path)]})
    mapped = hf.map(rows, Transform(config)).with_format("numpy")
    np.testing.assert_array_equal(np.asarray(mapped[0]["feature"], np.float32), feature)
