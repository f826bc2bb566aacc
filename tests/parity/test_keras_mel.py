"""`KerasMelSpectrogram` has the same bits through every door and equals Keras's layer."""

import datasets
import keras
import numpy as np
import pytest

from audiopipe import Transform, beam, configs, hf, load, tfdata

CONFIGS = {
    "decibels": {"fft_length": 512, "sequence_stride": 160, "num_mel_bins": 33, "channels": 1},
    "magnitudes, own window": {
        "fft_length": 500,
        "sequence_length": 301,
        "window": np.linspace(0.5, 1.0, 301),
        "sequence_stride": 700,
        "num_mel_bins": 20,
        "mag_exp": 1.5,
        "power_to_db": False,
        "channels": 1,
        "output_data_format": "channels_first",
    },
}


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def transform(request):
    return Transform(configs.KerasMelSpectrogram(**request.param))


def assert_equal(found, expected):
    assert sorted(found) == sorted(expected)
    for name, feature in expected.items():
        np.testing.assert_array_equal(found[name], feature, err_msg=name)


def test_a_called_transform_equals_keras(transform, folder, expected):
    config = transform.config
    names = set(keras.layers.MelSpectrogram().get_config()) - {"name", "dtype"}
    arguments = {name: value for name, value in config.to_dict().items() if name in names}
    arguments["window"] = config.window if isinstance(config.window, str) else np.float32(config.window)
    peer = keras.layers.MelSpectrogram(sampling_rate=config.sample_rate, **arguments)
    for name in set(expected) - {"short.wav"}:
        theirs = peer(transform.read(folder / name)[:, 0]).numpy().T
        feature = expected[name].squeeze()
        if config.power_to_db:
            # The rounding of both Fourier transforms is visible further below the loudest bin.
            loud = theirs > theirs.max() - 60
            np.testing.assert_allclose(feature[loud], theirs[loud], rtol=0, atol=1e-3, err_msg=name)
        else:
            np.testing.assert_allclose(feature, theirs, rtol=3e-5, atol=1e-5 * theirs.max(), err_msg=name)


def test_the_config_knows_the_shape_of_every_feature(transform, folder, expected):
    for name, feature in expected.items():
        n_frames = transform.n_frames(len(transform.read(folder / name)))
        assert n_frames > 0
        assert feature.shape == transform.config.feature_shape(n_frames, 1)


def test_tf_data_one_by_one_equals_the_transform(transform, folder, expected):
    elements = tfdata.from_audio(folder, transform.config).map(transform, num_parallel_calls=2)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in elements}, expected)


def test_tf_data_padded_batches_equal_the_transform(transform, folder, expected):
    frame_axis = 0 if transform.config.output_data_format == "channels_last" else 1
    batch = next(iter(tfdata.from_audio(folder, transform.config).padded_batch(len(expected)).map(transform)))
    rows = zip(batch["id"].numpy(), batch["feature"].numpy(), batch["n_frames"].numpy(), strict=True)
    found = {}
    for clip_id, feature, n_frames in rows:
        own, beyond = np.split(feature, [n_frames], axis=frame_axis)
        found[clip_id.decode()] = own
        assert (beyond == transform.config.silence).all()
    assert_equal(found, expected)


def test_datasets_map_equals_the_transform(transform, folder, expected):
    rows = datasets.Dataset.from_dict({"audio": [str(folder / name) for name in expected], "name": list(expected)})
    mapped = hf.map(rows, transform).with_format("numpy")
    channel_axis = -1 if transform.config.output_data_format == "channels_last" else 0
    mono = {name: np.squeeze(feature, axis=channel_axis) for name, feature in expected.items()}
    assert_equal({row["name"]: row["feature"] for row in mapped}, mono)


def test_precomputed_features_equal_the_transform(transform, folder, expected, tmp_path):
    beam.precompute(folder, tmp_path / "features", transform.config, num_shards=2)
    found = load(tmp_path / "features", config=transform.config)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in found}, expected)
