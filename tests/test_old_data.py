"""Data that release 0.1 wrote: later releases read it, with the same fingerprints and, on the same machine, bits."""

import json
import shutil
from pathlib import Path

import datasets
import keras
import numpy as np
import pytest
import tensorflow as tf
from packaging.version import Version

import audiopipe.layers
from audiopipe import Transform, beam, configs, fingerprint_of, hf, load, registry
from audiopipe.errors import ConfigMismatchError, CorruptFeatureSetError, FingerprintError, InputChangedError
from audiopipe.feature_sets import FeatureSet
from audiopipe.precompute.overview import overview
from audiopipe.registry import Registry
from audiopipe.runtime import machine_facts
from audiopipe.verification import verify

DATA = Path(__file__).parent / "data" / "v0.1"
FACTS = json.loads((DATA / "facts.json").read_text())
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
MEL = configs.MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=100, n_mels=20, return_decibel=True, **FIXED)
STFT = configs.StftMagnitude(sample_rate=8000, n_fft=64, hop_length=32, **FIXED)
CLIPS = {"mono": "mono.wav", "stereo": "stereo.flac", "resampled": "resampled.wav"}
# Features of the mel config are decibels of noise: last bits of float32 move them by less than this.
TOLERANCE = 0 if machine_facts.differences([FACTS["machine"]]) == "" else 1e-3


@pytest.fixture(scope="module")
def values():
    with np.load(DATA / "values.npz") as archive:
        return dict(archive)


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE)


def test_configs_have_the_fingerprints_and_kernel_versions_of_then():
    assert (MEL.fingerprint, STFT.fingerprint) == (FACTS["mel"], FACTS["stft"])
    versions = {"MelSpectrogram": MEL.kernel_version, "StftMagnitude": STFT.kernel_version}
    assert versions == FACTS["kernel_versions"]


def test_features_are_computed_as_they_were(values):
    mel = Transform(MEL)
    for name, file in CLIPS.items():
        assert_close(mel(mel.read(DATA / "clips" / file)), values[name])


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_a_feature_set_is_loaded_with_its_metadata(values):
    found = {
        element["id"].decode(): element for element in load(DATA / "features", MEL, check=True).as_numpy_iterator()
    }
    assert found.keys() == CLIPS.keys()
    for name, element in found.items():
        np.testing.assert_array_equal(element["feature"], values[name])
    stereo = found["stereo"]
    assert (stereo["speaker"].decode(), stereo["age"], stereo["gain"], stereo["clean"]) == ("Bo", 5, -2.5, False)
    assert stereo["note"].decode() == "café"
    with pytest.raises(ConfigMismatchError, match="n_mels: 80 != 20"):
        load(DATA / "features", "speech-mel-80")


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_a_feature_set_agrees_with_its_audio():
    report = verify(DATA / "features", DATA / "clips" / "manifest.jsonl", tolerance=TOLERANCE or None)
    assert report.ok
    [failure] = report.feature_set.failures()
    assert (failure["id"], failure["stage"]) == ("broken", "decode")


@pytest.mark.parametrize("name", ["failures.jsonl", "features-00001-of-00002.tfrecord"])
def test_damage_to_a_feature_set_is_found_without_its_audio(name, tmp_path):
    folder = shutil.copytree(DATA / "features", tmp_path / "features")
    assert verify(folder).ok
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=name):
        verify(folder)


def test_a_feature_set_is_inspected():
    facts = overview(str(DATA / "features"))
    assert (facts["complete"], facts["format_version"], facts["generation"]) == (True, 1, 0)
    assert (facts["fingerprint"], facts["counts"]["clips"], facts["shards"]) == (FACTS["mel"], 3, 2)
    assert (facts["counts"]["remarks"], facts["seconds"], facts["unfinished"]) == (None, None, None)


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_segments_in_float16_are_loaded_and_agree_with_their_audio():
    feature_set = FeatureSet.open(DATA / "segments-float16")
    assert (feature_set.dtype, feature_set.segments.to_dict()) == (
        "float16",
        {"seconds": 0.1, "hop": 0.05, "last": "pad"},
    )
    assert verify(DATA / "segments-float16", DATA / "clips" / "manifest.jsonl", tolerance=TOLERANCE or None).ok


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_a_feature_set_becomes_rows_of_datasets(values, tmp_path):
    rows = hf.from_feature_set(DATA / "features", MEL, cache_dir=tmp_path).with_format("numpy")
    assert fingerprint_of(rows).fingerprint == FACTS["mel"]
    np.testing.assert_array_equal(rows[0]["feature"], values["mono"][..., 0])


def test_rows_in_parquet_have_no_digests_and_carry_their_fingerprint_once_somebody_vouches_for_them(values, tmp_path):
    rows = datasets.Dataset.from_parquet(str(DATA / "mapped.parquet"), cache_dir=tmp_path)
    for source in (rows, DATA / "mapped.parquet"):
        with pytest.raises(FingerprintError, match=rf"{FACTS['mel']}.*Data of earlier releases.*hf\.with_digests"):
            fingerprint_of(source)
    rows = hf.with_digests(rows)
    rows.to_parquet(tmp_path / "mapped.parquet")
    assert fingerprint_of(rows).fingerprint == FACTS["mel"]
    assert fingerprint_of(tmp_path / "mapped.parquet") == fingerprint_of(rows)
    assert rows["label"][:] == [3, 1, 4]
    for row, name in zip(rows.with_format("numpy"), CLIPS, strict=True):
        np.testing.assert_array_equal(row["feature"], values[name][..., 0])


@pytest.mark.skipif(
    Version(keras.__version__) < Version(FACTS["machine"]["versions"]["keras"]),
    reason="Keras loads files of newer releases only by chance",
)
def test_a_keras_file_is_loaded_and_computes_what_it_did(values):
    assert fingerprint_of(DATA / "model.keras").fingerprint == FACTS["mel"]
    model = keras.saving.load_model(DATA / "model.keras")
    assert any(isinstance(layer, audiopipe.layers.ComposedLayer) for layer in model.layers)
    mel = Transform(MEL)
    assert_close(model(mel.read(DATA / "clips" / "mono.wav")[None]), values["model"])


def test_a_saved_model_is_loaded_and_computes_what_it_did(values):
    assert fingerprint_of(DATA / "saved_model").fingerprint == FACTS["mel"]
    loaded = tf.saved_model.load(str(DATA / "saved_model"))
    assert fingerprint_of(loaded).fingerprint == FACTS["mel"]
    sound = Transform(MEL).read(DATA / "clips" / "mono.wav")
    assert_close(loaded.serve(tf.constant(sound[None])), values["model"])


def test_names_of_a_registry_file_mean_what_they_meant():
    names = Registry(environment=False)
    assert "v01-mel" in names.load(DATA / "registry.json")
    assert names.get("v01-mel") == MEL
    built_in = json.loads((DATA / "registry.json").read_text())["configs"]
    for name in built_in.keys() - {"v01-mel"}:
        assert registry.get(name).identity() == built_in[name]


def test_a_job_that_was_begun_is_refused_with_what_to_do(tmp_path):
    output = shutil.copytree(DATA / "begun", tmp_path / "begun")
    before = sorted(path.name for path in output.rglob("*"))
    refusals = (InputChangedError, CorruptFeatureSetError)
    with pytest.raises(refusals, match=r"another folder,( or)? (pass|with) --overwrite"):
        beam.precompute(DATA / "clips" / "manifest.jsonl", output, MEL)
    assert sorted(path.name for path in output.rglob("*")) == before
