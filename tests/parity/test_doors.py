"""Every door computes the same bits, for every feature and for recordings at their own sample rates."""

from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import Transform, beam, configs, hf, load, tfdata

ROOT = Path(__file__).parents[2]
OWN_CLIPS = ROOT / "examples" / "audio"
RECORDINGS = ROOT.parent / "shared" / "audio"

FILES = sorted(
    path
    for folder in (OWN_CLIPS, RECORDINGS)
    for path in folder.rglob("*")
    if path.suffix in (".aiff", ".flac", ".mp3", ".ogg", ".opus", ".wav")
    and not path.name.startswith("librispeech")  # the last 300 bytes of its data chunk are missing
)
RATES = sorted({soundfile.info(path).samplerate for path in FILES})
# 257, 77 and 84 bins do not fill SIMD registers, and TensorFlow's own logarithm rounds their tails differently.
FEATURES = {
    "stft": (configs.StftMagnitude, {"n_fft": 512, "hop_length": 512}),
    # Decibels are computed from the magnitudes, so one feature without them is enough.
    "mel": (configs.MelSpectrogram, {"n_fft": 1024, "hop_length": 160, "n_mels": 77, "return_decibel": True}),
    "log": (
        configs.LogFrequencySpectrogram,
        {"n_fft": 4096, "hop_length": 500, "log_n_bins": 84, "log_f_min": 30.0, "return_decibel": True},
    ),
    "kaldi": (
        configs.LogMel,
        {
            "n_fft": 1024,
            "win_length": 1000,
            "hop_length": 400,
            "edges": "midpoint",
            "window": "povey",
            "remove_dc_offset": True,
            "preemphasis": 0.97,
            "n_mels": 43,
            "mel_triangles": "mel",
            "normalization": "clip",
            "stack_frames": 2,
            "padding_value": 1.0,
        },
    ),
    "mfcc": (configs.Mfcc, {"n_fft": 1024, "hop_length": 400, "n_mels": 43, "log": "db", "top_db": 60.0, "deltas": 1}),
}


# Every kind at the most common rate, and each other rate with one of them.
KINDS = list(FEATURES)
CASES = [(16000, kind) for kind in KINDS] + [
    (rate, KINDS[number % len(KINDS)]) for number, rate in enumerate(rate for rate in RATES if rate != 16000)
]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, tmp_path_factory):
    """Folder of recordings, transform at their sample rate, and features by the layer on samples from soundfile."""
    rate, name = request.param
    folder = tmp_path_factory.mktemp(f"rate-{rate}")
    for file in FILES:
        if soundfile.info(file).samplerate == rate:
            (folder / file.name).symlink_to(file)
    cls, arguments = FEATURES[name]
    config = cls(sample_rate=rate, channels=None, **arguments)
    layer = config.layer()
    expected = {}
    for file in sorted(folder.iterdir()):
        samples, _ = soundfile.read(file, dtype="float32", always_2d=True)
        expected[file.name] = layer(samples[None]).numpy()[0]
        assert expected[file.name].shape[0] > 0
    return folder, Transform(config), expected


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(expected)
    for name, feature in expected.items():
        np.testing.assert_array_equal(found[name], feature, err_msg=name)


def test_recordings_exist():
    assert len(list(OWN_CLIPS.rglob("*.*"))) >= 7
    if not RECORDINGS.exists():
        pytest.skip("no ../shared/audio beside the project")
    assert any(RECORDINGS in path.parents for path in FILES)


@pytest.mark.cases(2)
def test_transform_called_on_a_clip_equals_the_layer(case):
    path, transform, expected = case
    assert_equal({name: transform(transform.read(path / name)) for name in expected}, expected)


@pytest.mark.cases(2)
def test_tf_data_one_by_one_equals_the_layer(case):
    path, transform, expected = case
    elements = tfdata.from_audio(path, transform.config).map(transform, num_parallel_calls=2)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in elements}, expected)


@pytest.mark.cases(2)
def test_tf_data_padded_batches_equal_the_layer(case):
    path, transform, expected = case
    # All clips of a batch must have the same number of channels.
    for channels in {feature.shape[-1] for feature in expected.values()}:
        part = {name: feature for name, feature in expected.items() if feature.shape[-1] == channels}
        clips = tfdata.from_audio([path / name for name in part], transform.config)
        clips = clips.map(
            lambda clip, channels=channels: {**clip, "audio": tf.ensure_shape(clip["audio"], [None, channels])}
        )
        batches = clips.repeat(2).padded_batch(5).map(transform)
        for batch in batches:
            for clip_id, feature, n_frames in zip(batch["id"], batch["feature"], batch["n_frames"], strict=True):
                name = Path(clip_id.numpy().decode()).name
                np.testing.assert_array_equal(feature[:n_frames], part[name], err_msg=name)
                assert (feature[n_frames:].numpy() == transform.config.padding_frame(channels)).all()


@pytest.mark.cases(2)
def test_datasets_map_equals_the_layer(case):
    path, transform, expected = case
    rows = datasets.Dataset.from_dict(
        {"audio": [{"path": str(path / name)} for name in expected], "name": list(expected)}
    )
    rows = rows.cast_column("audio", datasets.Audio(decode=False))
    ways = [hf.map(rows, transform)]
    if transform.config.sample_rate == 16000:  # every kind of feature
        ways.append(rows.map(transform, batched=True, batch_size=3))
    for mapped in ways:
        mapped = mapped.with_format("numpy")
        assert_equal({row["name"]: np.asarray(row["feature"], np.float32) for row in mapped}, expected)


@pytest.mark.cases(2)
def test_precomputed_features_equal_the_layer(case, tmp_path):
    path, transform, expected = case
    beam.precompute(path, tmp_path / "features", transform.config, num_shards=2)
    found = load(tmp_path / "features", config=transform.config)
    assert_equal({element["id"].numpy().decode(): element["feature"].numpy() for element in found}, expected)


def test_doors_agree_for_recordings_that_are_mixed_down_and_resampled(tmp_path):
    links = tmp_path / "clips"
    links.mkdir()
    for path in FILES:
        (links / path.name).symlink_to(path)
    config = configs.MelSpectrogram(sample_rate=11025, n_fft=512, n_mels=50, return_decibel=True)
    transform = Transform(config)
    beam.precompute(links, tmp_path / "features", config, num_shards=3)
    stored = {element["id"].numpy().decode(): element["feature"].numpy() for element in load(tmp_path / "features")}
    assert len(stored) == len(FILES)
    batch = next(iter(tfdata.from_audio(links, config).padded_batch(len(FILES)).map(transform)))
    batched = {
        clip_id.decode(): feature[:n_frames]
        for clip_id, feature, n_frames in zip(
            batch["id"].numpy(), batch["feature"].numpy(), batch["n_frames"].numpy(), strict=True
        )
    }
    assert_equal(batched, stored)
    rows = datasets.Dataset.from_dict({"audio": [str(links / name) for name in stored], "name": list(stored)})
    mapped = hf.map(rows, transform).with_format("numpy")
    assert_equal({row["name"]: row["feature"][..., None] for row in mapped}, stored)
