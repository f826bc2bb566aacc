"""Which feature something was built for, and that readers refuse any other."""

import dataclasses
import runpy
import zipfile

import datasets
import keras
import pytest
import tensorflow as tf

from audiopipe import Transform, configs, fingerprint_of, hf, kernel_versions, load
from audiopipe.errors import ConfigMismatchError, FingerprintError
from audiopipe.fingerprints import expected


@pytest.fixture(scope="module")
def other(config):
    return dataclasses.replace(config, hop_length=99)


def model_of(*used):
    """A model with a layer of each config inside a model inside it."""
    inputs = keras.Input((None, 1))
    inner = [keras.Sequential([keras.Input((None, 1)), config.layer()])(inputs) for config in used]
    pooled = [keras.layers.GlobalAveragePooling2D()(feature) for feature in inner]
    return keras.Model(inputs, pooled[0] if len(pooled) == 1 else keras.layers.Add()(pooled))


@pytest.fixture(scope="module")
def models(config, tmp_path_factory):
    """The same model in each of its forms."""
    folder = tmp_path_factory.mktemp("models")
    model = model_of(config)
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)
    tf.saved_model.save(model, folder / "saved")
    return {
        "in memory": model,
        "layer": config.layer(),
        ".keras": folder / "model.keras",
        "exported": folder / "exported",
        "saved": folder / "saved",
    }


FORMS = ["in memory", "layer", ".keras", "exported", "saved"]


@pytest.mark.parametrize("form", FORMS)
def test_a_model_tells_its_feature_and_whether_it_is_frozen(models, config, form):
    identity = fingerprint_of(models[form])
    assert (identity.config, identity.fingerprint) == (config, config.fingerprint)
    assert identity.frozen == (form in ("exported", "saved"))


@pytest.mark.parametrize("form", FORMS)
def test_load_takes_a_model_and_refuses_features_that_it_was_not_built_for(
    models, shared_feature_set, config, other, form, tmp_path
):
    assert len(list(load(shared_feature_set, config=models[form]))) == 4
    wrong = model_of(other)
    if form == "layer":
        wrong = other.layer()
    elif form != "in memory":
        path = tmp_path / ("model.keras" if form == ".keras" else "folder")
        wrong.save(path) if form == ".keras" else wrong.export(path, verbose=False)
        wrong = str(path)
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100") as caught:
        load(shared_feature_set, config=wrong)
    assert other.fingerprint in str(caught.value)
    assert config.fingerprint in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_only_frozen_numerics_keep_their_kernel_version(models, config, shared_feature_set, form, monkeypatch):
    monkeypatch.setattr(type(config), "kernel_version", 2)
    frozen = form in ("exported", "saved")
    assert fingerprint_of(models[form]).fingerprint == config.fingerprint_at(1 if frozen else 2)
    if frozen:
        assert load(shared_feature_set, config=models[form]).cardinality() == 4
    else:
        with pytest.raises(ConfigMismatchError, match="kernel_version: 2 != 1"):
            load(shared_feature_set, config=models[form])


def test_a_model_that_is_loaded_and_exported_has_todays_kernel_version(models, config, monkeypatch, tmp_path):
    monkeypatch.setitem(kernel_versions.VERSIONS, "StftMagnitude", 5)
    keras.saving.load_model(models[".keras"]).export(tmp_path / "later", verbose=False)
    assert fingerprint_of(tmp_path / "later").fingerprint == config.fingerprint_at(5)


def test_every_config_class_has_its_kernel_version_where_layers_find_it():
    classes = [getattr(configs, name) for name in configs.__all__ if name[0].isupper() and name != "Config"]
    concrete = {cls.__name__: cls.kernel_version for cls in classes if isinstance(cls, type)}
    assert runpy.run_path(kernel_versions.__file__)["VERSIONS"] == concrete  # before any class has added its own


def test_a_saved_model_of_an_unknown_config_class_is_refused(config, monkeypatch, tmp_path):
    monkeypatch.delitem(kernel_versions.VERSIONS, "StftMagnitude")
    model_of(config).export(tmp_path / "model", verbose=False)
    with pytest.raises(FingerprintError, match="does not say the kernel version"):
        fingerprint_of(tmp_path / "model")


@pytest.mark.parametrize("form", ["in memory", ".keras", "exported"])
def test_several_configs_are_listed(config, other, form, tmp_path):
    model = model_of(config, other, config)
    if form == ".keras":
        model.save(tmp_path / "model.keras")
        model = tmp_path / "model.keras"
    elif form == "exported":
        model.export(tmp_path / "model", verbose=False)
        model = tmp_path / "model"
    with pytest.raises(FingerprintError, match="Received: 2 in") as caught:
        fingerprint_of(model)
    for part in (config.fingerprint, other.fingerprint, "hop_length: "):
        assert part in str(caught.value)


@pytest.mark.parametrize("form", ["in memory", ".keras", "exported"])
def test_a_model_without_a_config_says_what_was_looked_at(form, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="plain")
    looked_at = {"in memory": "layers of <Sequential name=plain", ".keras": "config.json of", "exported": "constants"}
    if form == ".keras":
        model.save(tmp_path / "model.keras")
        model = tmp_path / "model.keras"
    elif form == "exported":
        model.export(tmp_path / "model", verbose=False)
        model = tmp_path / "model"
    with pytest.raises(FingerprintError, match=f"No config was found. Looked at: .*{looked_at[form]}"):
        fingerprint_of(model)


def test_what_holds_no_model_is_refused(tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    for name, message in (
        ("bad.keras", "is no file that Keras saved"),
        ("empty.keras", "is no file that Keras saved"),
        ("bad", "is damaged"),
        ("nowhere", "There is no .keras file, SavedModel"),
    ):
        with pytest.raises(FingerprintError, match=message):
            fingerprint_of(tmp_path / name)
    with pytest.raises(FingerprintError, match="Received: 3"):
        fingerprint_of(3)


def test_a_feature_set_tells_its_feature(shared_feature_set, config):
    identity = fingerprint_of(str(shared_feature_set))
    assert (identity.config, identity.fingerprint, identity.frozen) == (config, config.fingerprint, True)


@pytest.mark.parametrize("name", ["speech-mel-80", "speech-mel-80@"])
def test_a_registered_name_goes_before_a_folder_of_that_name(models, name, monkeypatch, tmp_path):
    registered = configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech-mel-80").symlink_to(models["exported"])
    name = name + registered.fingerprint[:8] if name.endswith("@") else name
    assert expected(name)[0].fingerprint == registered.fingerprint


@pytest.mark.parametrize("changes", [{}, {"channels": 2}, {"channels": None}])
def test_a_mapped_dataset_carries_its_feature_wherever_it_goes(clips, config, changes, tmp_path):
    config = dataclasses.replace(config, **changes)
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "stereo.flac")] * 2, "label": [1, 2]})
    mapped = hf.map(rows, Transform(config))
    mapped.save_to_disk(tmp_path / "disk")
    mapped.to_parquet(tmp_path / "file.parquet")
    travelled = {
        "mapped": mapped,
        "served from the cache": hf.map(rows, Transform(config)),
        "mapped again": mapped.map(lambda row: {"more": 1}).rename_column("feature", "mel"),
        "disk": datasets.load_from_disk(tmp_path / "disk"),
        "Parquet": datasets.Dataset.from_parquet(str(tmp_path / "file.parquet"), cache_dir=str(tmp_path)),
    }
    for dataset in travelled.values():
        identity = fingerprint_of(dataset)
        assert (identity.config, identity.fingerprint, identity.frozen) == (config, config.fingerprint, True)
    with pytest.raises(FingerprintError, match=r"columns \['audio', 'label'\]"):
        fingerprint_of(rows)


def test_datasets_of_different_features_do_not_mix(clips, config, other):
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})
    mapped = [hf.map(rows, Transform(each)) for each in (config, other)]
    with pytest.raises(ValueError, match="can't be aligned"):
        datasets.concatenate_datasets(mapped)
