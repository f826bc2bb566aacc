"""Clips that are longer than a config allows fail in every door, with advice, and others do not."""

import datasets
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import Segments, Transform, beam, configs, hf, tfdata
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.feature_sets import FeatureSet

CONFIG = configs.LogMel(
    sample_rate=8000, n_fft=256, hop_length=100, n_mels=20, clip_seconds=0.5, short_clips="repeat", long_clips="error"
)
MESSAGE = r"longer than this feature allows: 0\.5 s, or 4000 samples at 8000 Hz\. Cut it into segments.*seconds=0\.5"


@pytest.fixture(scope="module")
def mel():
    return Transform(CONFIG)


def clip(n_samples):
    return np.random.default_rng(n_samples).uniform(-0.1, 0.1, (n_samples, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for name, n_samples in (("short", 1000), ("full", 4000), ("long", 4001)):
        soundfile.write(folder / f"{name}.wav", clip(n_samples), 8000, subtype="FLOAT")
    return folder


def test_a_clip_of_the_greatest_length_has_a_feature(mel):
    assert mel(clip(4000)).shape == mel(clip(1)).shape == (41, 20, 1)


def test_calls_refuse_a_longer_clip(mel):
    short, long = clip(4000), clip(4001)
    batch = np.stack([np.pad(short, [(0, 1), (0, 0)]), long])
    for call in (
        lambda: mel(long),
        lambda: mel(tf.constant(long)),
        lambda: mel(batch),
        lambda: mel(batch, lengths=[4000, 4001]),
        lambda: mel(tf.RaggedTensor.from_row_lengths(np.concatenate([short, long]), [4000, 4001])),
        lambda: mel({"audio": long[:, 0]}),
        lambda: mel.compute(long),
        lambda: mel.compute([long[:3000], long[3000:]]),
    ):
        with pytest.raises(AudioError, match=MESSAGE):
            call()
    np.testing.assert_array_equal(mel(batch, lengths=[4000, 4000])[0], mel(short))


def test_graphs_fail_when_they_reach_a_longer_clip(mel):
    elements = tf.data.Dataset.from_generator(
        lambda: iter([clip(4000), clip(4001)]), output_signature=tf.TensorSpec([None, 1], tf.float32)
    )
    features = iter(elements.map(mel))
    np.testing.assert_array_equal(next(features), mel(clip(4000)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=MESSAGE):
        next(features)


def test_rows_fail_alone(mel, folder):
    long, short = mel.rows([str(folder / "long.wav"), str(folder / "short.wav")])
    assert isinstance(long, AudioError)
    assert long.stage == "feature"
    np.testing.assert_array_equal(short[0][..., None], mel(mel.read(folder / "short.wav")))
    rows = datasets.Dataset.from_dict({"audio": [str(folder / name) for name in ("long.wav", "full.wav")]})
    mapped = hf.map(rows, mel, on_error="skip")
    assert len(mapped) == 1
    with pytest.raises(AudioError, match=MESSAGE):
        hf.map(rows, mel)


def test_a_job_lists_a_longer_clip_as_a_failure_and_computes_the_others(mel, folder, tmp_path):
    beam.precompute(folder, tmp_path / "features", CONFIG, max_failure_ratio=0.5)
    features = FeatureSet(tmp_path / "features")
    assert sorted(features.metadata["id"].to_pylist()) == ["full.wav", "short.wav"]
    failures = (tmp_path / "features" / "failures.jsonl").read_text()
    assert "long.wav" in failures
    assert "longer than this feature allows" in failures


def test_segments_of_a_longer_recording_have_features(mel, folder):
    clips = tfdata.from_audio(folder, CONFIG, segments=Segments(seconds=0.25, last="keep"))
    assert [feature.shape[0] for feature in clips.map(lambda clip: mel(clip)["feature"])] == [41] * 6


def test_segments_that_are_too_long_are_refused_before_anything_is_read(folder):
    with pytest.raises(ArgumentError, match=r"at most 0\.5 s, the longest clip that this feature allows.*0\.6 s"):
        tfdata.from_audio(folder, CONFIG, segments=Segments(seconds=0.6))
