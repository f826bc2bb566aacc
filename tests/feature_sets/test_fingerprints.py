"""Identity of the feature that something was built for, and refusal of other features by readers."""

import dataclasses
import re
import runpy
import zipfile

import datasets
import keras
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from audiopipe import Transform, configs, fingerprint_of, hf, load
from audiopipe.errors import ConfigMismatchError, FingerprintError
from audiopipe.feature_sets.fingerprints import expected
from audiopipe.identity import kernel_versions


@pytest.fixture(scope="module")
def other(config):
    return dataclasses.replace(config, hop_length=99)


def model_of(*used):
    """Returns a model that contains, for each config, a model with the layer of that config."""
    inputs = keras.Input((None, 1))
    inner = [keras.Sequential([keras.Input((None, 1)), config.layer()])(inputs) for config in used]
    pooled = [keras.layers.GlobalAveragePooling2D()(feature) for feature in inner]
    return keras.Model(inputs, pooled[0] if len(pooled) == 1 else keras.layers.Add()(pooled))


@keras.saving.register_keras_serializable("tests")
class Subclass(keras.Model):
    """A subclassed model, whose layers are defined in its code and not in its file."""

    def __init__(self, config_json=None, **kwargs):
        super().__init__(**kwargs)
        self.config_json = config_json  # the model's own attribute, which audiopipe must ignore
        self.front = configs.from_json(config_json).layer()
        self.dense = keras.layers.Dense(2)

    def call(self, waveform):
        return self.dense(self.front(waveform)[..., 0])

    def get_config(self):
        return {"config_json": self.config_json}


@pytest.fixture(scope="module")
def models(config, tmp_path_factory):
    """Returns the same model in each of its forms."""
    folder = tmp_path_factory.mktemp("models")
    model = model_of(config)
    subclass = Subclass(config.to_json())
    subclass(tf.zeros([1, 1000, 1]))
    subclass.save(folder / "subclass.keras")
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)
    tf.saved_model.save(model, folder / "saved")
    return {
        "in memory": model,
        "layer": config.layer(),
        ".keras": folder / "model.keras",
        "exported": folder / "exported",
        "saved": folder / "saved",
        "subclass": subclass,
        "subclass.keras": folder / "subclass.keras",
        "loaded export": tf.saved_model.load(folder / "exported"),
        "loaded": tf.saved_model.load(folder / "saved"),
        "TFSMLayer": keras.Sequential([keras.layers.TFSMLayer(folder / "exported", call_endpoint="serve")]),
    }


FORMS = ["in memory", "layer", ".keras", "exported", "saved"]
FROZEN_FORMS = ["exported", "saved", "loaded export", "loaded", "TFSMLayer"]
ALL_FORMS = [*FORMS, "subclass", "subclass.keras", "loaded export", "loaded", "TFSMLayer"]


@pytest.mark.cases(5)
@pytest.mark.parametrize("form", ALL_FORMS)
def test_fingerprint_of_a_model_gives_its_feature_and_whether_it_is_frozen(models, config, form):
    identity = fingerprint_of(models[form])
    assert (identity.config, identity.fingerprint) == (config, config.fingerprint)
    assert identity.frozen == (form in FROZEN_FORMS)
    assert expected(models[form]) == (config, config.kernel_version)


@pytest.mark.cases(3)
@pytest.mark.parametrize("form", FORMS)
def test_load_accepts_a_model_and_refuses_features_of_another_config(
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
    before, now = config.kernel_version, config.kernel_version + 1
    monkeypatch.setattr(type(config), "kernel_version", now)
    frozen = form in ("exported", "saved")
    assert fingerprint_of(models[form]).fingerprint == config.fingerprint_at(before if frozen else now)
    if frozen:
        assert load(shared_feature_set, config=models[form]).cardinality() == 4
    else:
        with pytest.raises(ConfigMismatchError, match=f"kernel_version: {now} != {before}"):
            load(shared_feature_set, config=models[form])


def test_a_model_that_is_loaded_and_exported_has_the_current_kernel_version(models, config, monkeypatch, tmp_path):
    monkeypatch.setitem(kernel_versions.VERSIONS, "StftMagnitude", 5)
    keras.saving.load_model(models[".keras"]).export(tmp_path / "later", verbose=False)
    assert fingerprint_of(tmp_path / "later").fingerprint == config.fingerprint_at(5)


def test_kernel_versions_lists_every_config_class():
    others = {"Config", "Standardization"}
    classes = [getattr(configs, name) for name in configs.__all__ if name[0].isupper() and name not in others]
    concrete = {cls.__name__: cls.kernel_version for cls in classes if isinstance(cls, type)}
    # A new copy of the module, because config classes add their versions to the imported one.
    assert runpy.run_path(kernel_versions.__file__)["VERSIONS"] == concrete


def test_a_saved_model_of_an_unknown_config_class_is_refused(config, monkeypatch, tmp_path):
    monkeypatch.delitem(kernel_versions.VERSIONS, "StftMagnitude")
    model_of(config).export(tmp_path / "model", verbose=False)
    with pytest.raises(FingerprintError, match="does not contain the kernel version"):
        fingerprint_of(tmp_path / "model")


@pytest.mark.parametrize("form", ["in memory", ".keras", "exported"])
def test_a_model_with_several_configs_is_refused_and_they_are_listed(config, other, form, tmp_path):
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
def test_a_model_without_a_config_is_refused_with_what_was_searched(form, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="plain")
    searched = {"in memory": "layers of <Sequential name=plain", ".keras": "assets of", "exported": "constants"}
    if form == ".keras":
        model.save(tmp_path / "model.keras")
        model = tmp_path / "model.keras"
    elif form == "exported":
        model.export(tmp_path / "model", verbose=False)
        model = tmp_path / "model"
    with pytest.raises(FingerprintError, match=f"No config was found. Searched: .*{searched[form]}"):
        fingerprint_of(model)


def test_anything_but_a_model_is_refused(tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    (tmp_path / "bad.parquet").write_bytes(b"no Parquet")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    for name, message in (
        ("bad.keras", "is not a file that Keras saved"),
        ("empty.keras", "is not a file that Keras saved"),
        ("bad", "is damaged"),
        ("bad.parquet", "is not a valid Parquet file"),
        ("nowhere", "There is no .keras file, SavedModel"),
    ):
        with pytest.raises(FingerprintError, match=message):
            fingerprint_of(tmp_path / name)
    with pytest.raises(FingerprintError, match="Received: 3"):
        fingerprint_of(3)


def test_fingerprint_of_a_feature_set_gives_its_feature(shared_feature_set, config):
    identity = fingerprint_of(str(shared_feature_set))
    assert (identity.config, identity.fingerprint, identity.frozen) == (config, config.fingerprint, True)


@pytest.mark.parametrize("name", ["speech-mel-80", "speech-mel-80@"])
def test_a_registered_name_takes_precedence_over_a_folder_of_that_name(models, name, monkeypatch, tmp_path):
    registered = configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech-mel-80").symlink_to(models["exported"])
    name = name + registered.fingerprint[:8] if name.endswith("@") else name
    assert expected(name)[0].fingerprint == registered.fingerprint


@pytest.mark.parametrize("changes", [{}, {"channels": 2}, {"channels": None}])
def test_a_mapped_dataset_keeps_its_feature_when_saved_cached_and_mapped_again(clips, config, changes, tmp_path):
    config = dataclasses.replace(config, **changes)
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "stereo.flac")] * 2, "label": [1, 2]})
    mapped = hf.map(rows, Transform(config))
    mapped.save_to_disk(tmp_path / "disk")
    mapped.to_parquet(tmp_path / "file.parquet")
    copies = {
        "mapped": mapped,
        "served from the cache": hf.map(rows, Transform(config)),
        "mapped again": mapped.map(lambda row: {"more": 1}).rename_column("feature", "mel"),
        "disk": datasets.load_from_disk(tmp_path / "disk"),
        "Parquet": datasets.Dataset.from_parquet(str(tmp_path / "file.parquet"), cache_dir=str(tmp_path)),
        "Parquet file": tmp_path / "file.parquet",
    }
    for copy in copies.values():
        identity = fingerprint_of(copy)
        assert (identity.config, identity.fingerprint, identity.frozen) == (config, config.fingerprint, True)
    with pytest.raises(FingerprintError, match=r"columns \['audio', 'label'\]"):
        fingerprint_of(rows)


@pytest.fixture(scope="module")
def features_in_parquet(clips, config, tmp_path_factory):
    """Returns a Parquet file with a feature column."""
    path = tmp_path_factory.mktemp("parquet") / "features.parquet"
    hf.map(datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]}), Transform(config)).to_parquet(path)
    return path


def test_a_parquet_file_keeps_the_kernel_version_of_its_features(features_in_parquet, config, monkeypatch):
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)
    assert fingerprint_of(features_in_parquet).fingerprint == config.fingerprint_at(before)
    assert expected(features_in_parquet) == (config, before)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["feature"]),
        lambda table: table.rename_columns({"feature": "mel"}),
        lambda table: table.set_column(0, "feature", table["n_frames"]),
        lambda table: table.set_column(0, "feature", table["feature"].cast(pa.list_(pa.list_(pa.float64())))),
        lambda table: table.replace_schema_metadata(None),
    ],
    ids=["removed", "renamed", "replaced", "cast", "without description"],
)
def test_a_parquet_file_whose_feature_column_was_changed_carries_no_config(features_in_parquet, change, tmp_path):
    # As a program that knows nothing of `datasets` sees the column.
    table = pq.read_table(features_in_parquet)
    plain = table["feature"].chunk(0)
    plain = plain.storage if isinstance(plain, pa.ExtensionArray) else plain
    table = table.set_column(0, pa.field("feature", plain.type), plain)
    pq.write_table(table, tmp_path / "same.parquet")
    assert fingerprint_of(tmp_path / "same.parquet") == fingerprint_of(features_in_parquet)
    pq.write_table(change(table), tmp_path / "changed.parquet")
    with pytest.raises(FingerprintError, match=r"No config was found\. Searched: the descriptions of the columns"):
        fingerprint_of(tmp_path / "changed.parquet")


@pytest.mark.parametrize("described", [b"{", b"[]", b'{"info": 1}', b"[" * 100_000], ids=["cut", "list", "int", "deep"])
def test_a_parquet_file_with_a_damaged_description_is_refused(described, tmp_path):
    table = pa.table({"feature": pa.array([[1.0]], pa.list_(pa.float32()))})
    pq.write_table(table.replace_schema_metadata({"huggingface": described}), tmp_path / "features.parquet")
    with pytest.raises(FingerprintError, match=r"features\.parquet' is not a valid Parquet file"):
        fingerprint_of(tmp_path / "features.parquet")


def test_datasets_of_different_features_cannot_be_concatenated(clips, config, other):
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})
    mapped = [hf.map(rows, Transform(each)) for each in (config, other)]
    with pytest.raises(ValueError, match="can't be aligned"):
        datasets.concatenate_datasets(mapped)


def test_load_takes_a_feature_set_or_a_mapped_dataset_as_the_expected_config(shared_feature_set, clips, config, other):
    rows = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})})
    for source in (shared_feature_set, str(shared_feature_set), hf.map(rows, Transform(config)), Transform(config)):
        assert load(shared_feature_set, config=source).cardinality() == 4
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100"):
        load(shared_feature_set, config=hf.map(rows, Transform(other))["train"])


def test_all_splits_must_have_the_same_feature(clips, config, other):
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})
    train, test, differs = (hf.map(rows, Transform(each)) for each in (config, config, other))
    identity = fingerprint_of(datasets.DatasetDict(train=train, test=test))
    assert (identity.fingerprint, identity.frozen) == (config.fingerprint, True)
    with pytest.raises(FingerprintError, match=r"Received: 2 in .*(?s:.)*hop_length"):
        fingerprint_of(datasets.DatasetDict(train=train, test=differs))
    with pytest.raises(FingerprintError, match=r"No config was found.*of the split 'test'"):
        fingerprint_of(datasets.DatasetDict(train=train, test=rows))


@keras.saving.register_keras_serializable("tests")
class Foreign(keras.layers.Layer):
    """A layer of another package with an attribute that composed layers have too."""

    config_json = '{"model": "theirs"}'

    def get_config(self):
        return {**super().get_config(), "config_json": self.config_json}

    @classmethod
    def from_config(cls, config):
        return cls()

    def call(self, inputs):
        return inputs


def test_config_json_of_other_layers_is_ignored(config, tmp_path):
    model = keras.Sequential([keras.Input((None, 1)), Foreign(), config.layer()])
    model.save(tmp_path / "model.keras")
    assert fingerprint_of(model).fingerprint == fingerprint_of(tmp_path / "model.keras").fingerprint
    with pytest.raises(FingerprintError, match="No config was found"):
        fingerprint_of(Foreign())


@pytest.mark.parametrize("ask", [fingerprint_of, expected])
@pytest.mark.parametrize("name", ["model.h5", "model.weights.h5", "model.hdf5"])
def test_an_hdf5_file_is_refused_with_advice(tmp_path, name, ask):
    with pytest.raises(FingerprintError, match=r"An HDF5 file.*load_model\(path\)"):
        ask(str(tmp_path / name))


def edited(path, folder, change):
    """Writes a copy of a `.keras` file with a changed config.json and returns its path."""
    copy = folder / "edited.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            target.writestr(name, change(content.decode()) if name == "config.json" else content)
    return copy


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('\\"hop_length\\":100', '\\"hop_length\\":99'),
        lambda text: text.replace('"hop_length": 100', '"hop_length": 99'),
    ],
    ids=["config", "layers"],
)
def test_a_keras_file_whose_config_does_not_match_its_layers_is_refused(models, config, change, tmp_path):
    same = edited(models[".keras"], tmp_path, lambda text: text)
    assert fingerprint_of(same).fingerprint == fingerprint_of(keras.saving.load_model(same)).fingerprint
    path = edited(models[".keras"], tmp_path, change)
    with pytest.raises(FingerprintError, match="was edited: the layers"):
        fingerprint_of(path)
    with pytest.raises(FingerprintError, match=r"one of these was edited. Received: config_json="):
        keras.saving.load_model(path)


def test_a_keras_file_without_a_digest_is_read(models, config, tmp_path):
    path = edited(models[".keras"], tmp_path, lambda text: re.sub(r', "config_sha256": "\w+"', "", text))
    assert "config_sha256" not in zipfile.ZipFile(path).read("config.json").decode()
    assert fingerprint_of(path).fingerprint == config.fingerprint
    assert fingerprint_of(keras.saving.load_model(path)).fingerprint == config.fingerprint


def assert_is_refused(path):
    with pytest.raises(FingerprintError, match="was edited: the layers or the padding"):
        fingerprint_of(path)
    with pytest.raises(FingerprintError, match="one of these was edited"):
        keras.saving.load_model(path)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("change", [r'"padding": 0\.25', r', "padding": 0\.25'], ids=["changed", "removed"])
def test_a_keras_file_whose_padding_was_edited_is_refused(change, tmp_path):
    layer = configs.LogMel(n_fft=128, n_mels=8, padding_value=0.25).layer()
    layer.save(tmp_path / "layer.keras")
    same = edited(tmp_path / "layer.keras", tmp_path, lambda text: text)
    assert keras.saving.load_model(same).padding == 0.25
    new = "" if change.startswith(",") else '"padding": 0.5'
    assert_is_refused(edited(same.with_name("layer.keras"), tmp_path, lambda text: re.sub(change, new, text)))


def test_a_keras_file_with_a_padding_that_its_layer_did_not_have_is_refused(models, tmp_path):
    path = edited(
        models[".keras"], tmp_path, lambda text: text.replace('"config_sha256"', '"padding": 0.5, "config_sha256"')
    )
    assert_is_refused(path)
