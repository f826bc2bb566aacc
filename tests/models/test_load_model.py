"""`load_model`: models from files, with audiopipe's layers and without code of the file."""

import dataclasses
import json
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from classifiers import sequential
from typer.testing import CliRunner

from audiopipe import FeatureSet, Statistics, Transform, check, cli, configs, fingerprint_of, load_model
from audiopipe.configs import config_classes
from audiopipe.errors import (
    ArgumentError,
    AudiopipeError,
    ConfigMismatchError,
    FingerprintError,
    MachineWarning,
    ModelError,
)
from audiopipe.feature_sets import fingerprints, machine_checks
from audiopipe.layers import FeatureStamp
from audiopipe.transform import probe

AUDIO = np.random.default_rng(0).standard_normal((2, 1000, 1)).astype(np.float32)


@pytest.mark.cases(2)
@pytest.mark.parametrize("form", ["model.keras", "exported", "saved"])
def test_a_loaded_model_computes_the_same_and_offers_its_config(serving_file, serving, config, form):
    model = load_model(serving_file(form))
    assert isinstance(model, keras.Model)
    assert np.array_equal(model(AUDIO), serving(AUDIO))
    assert np.array_equal(model.predict(AUDIO, verbose=0), serving(AUDIO))
    identity = fingerprint_of(model)
    assert (identity.config, identity.frozen) == (config, form != "model.keras")
    check(model, config)
    check(serving_file(form), config)


def test_a_remote_file_is_loaded(serving_file, config):
    with tf.io.gfile.GFile(serving_file("model.keras"), "rb") as file:
        content = file.read()
    import fsspec

    with fsspec.open("memory://models/model.keras", "wb") as target:
        target.write(content)
    assert fingerprint_of(load_model("memory://models/model.keras")).config == config


def test_a_saved_model_with_several_inputs_takes_them_by_name_or_in_their_structure(tmp_path):
    two = [keras.Input((3,), name="left"), keras.Input((3,), name="right")]
    model = keras.Model(two, keras.layers.Subtract()(two))
    model.export(tmp_path / "exported", verbose=False)
    batches = [np.full((2, 3), value, np.float32) for value in (5, 3)]
    loaded = load_model(tmp_path / "exported")
    assert np.array_equal(loaded.predict(batches, verbose=0), np.full((2, 3), 2.0))
    by_name = load_model(tmp_path / "exported", endpoint="serving_default")
    named = dict(zip(("left", "right"), batches, strict=True))
    assert np.array_equal(by_name.predict(named, verbose=0), np.full((2, 3), 2.0))
    with pytest.raises(ModelError, match="The endpoint 'nothing'"):
        load_model(tmp_path / "exported", endpoint="nothing")


def test_the_model_of_a_saved_model_keeps_its_stamp_as_the_saved_one_does(config, other, serving_file, tmp_path):
    config.stamp_model(sequential()).export(tmp_path / "exported", verbose=False)
    loaded = load_model(tmp_path / "exported")
    assert config.stamp_model(loaded) is loaded
    with pytest.raises(ConfigMismatchError, match=r"stamp of the model .* says that it was trained on another feature"):
        other.stamp_model(loaded)
    with pytest.raises(ArgumentError, match="computes them from audio"):
        config.stamp_model(load_model(serving_file("exported")))
    for compute in (
        lambda: keras.Sequential([keras.Input((None, 1)), other.layer(), loaded]),
        lambda: keras.Sequential([other.layer(), loaded]).predict(AUDIO, verbose=0),
        lambda: loaded(other.layer()(AUDIO)),
    ):
        with pytest.raises(ConfigMismatchError, match=r"^The model behind(?s:.)*hop_length: 100 != 99"):
            compute()
    right = keras.Sequential([keras.Input((None, 1)), config.layer(), loaded])
    assert np.array_equal(right(AUDIO), loaded(config.layer()(AUDIO)))
    right.export(tmp_path / "served", verbose=False)
    assert fingerprint_of(tmp_path / "served").origin == "front end and stamp"
    with pytest.raises(ModelError, match=r"cannot be part of a \.keras file"):
        right.save(tmp_path / "model.keras")


def test_a_compiled_model_is_compiled_when_it_is_loaded(config, tmp_path):
    model = config.stamp_model(sequential())
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert (loaded.compiled, loaded.optimizer.learning_rate.numpy()) == (True, np.float32(0.1))
    assert not load_model(tmp_path / "model.keras", compile=False).compiled


@pytest.mark.cases(1)
@pytest.mark.parametrize("form", ["model.keras", "exported"])
def test_a_classifier_behind_the_layer_of_another_config_is_not_loaded(config, other, form, tmp_path):
    # Directly behind the front end, the stamp would refuse to be traced.
    layers = [other.layer(), keras.layers.ReLU(), config.stamp_model(sequential())]
    model = keras.Sequential([keras.Input((None, 1)), *layers])
    if form == "exported":
        model.export(tmp_path / form, verbose=False)
    else:
        model.save(tmp_path / form)
    with pytest.raises(ConfigMismatchError, match="trained on another feature than the one that it computes"):
        load_model(tmp_path / form)


def test_paths_without_a_model_are_refused(tmp_path):
    (tmp_path / "bad.keras").write_bytes(b"no zip")
    with zipfile.ZipFile(tmp_path / "list.keras", "w") as archive:
        archive.writestr("config.json", "[]")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    (tmp_path / "model.h5").write_bytes(b"")
    for name, message in (
        ("bad.keras", "is not a file that Keras saved"),
        ("list.keras", "is not a file that Keras saved"),
        ("bad", "cannot be loaded"),
        ("model.h5", "Load an HDF5 file with keras.saving.load_model"),
        ("nowhere.keras", "There must be a .keras file or a SavedModel"),
    ):
        with pytest.raises(ModelError, match=message):
            load_model(tmp_path / name)


def forged(path, target, layer=None, **compile_config):
    """Writes a copy of a `.keras` file with another last layer or other settings of `compile`."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                described = json.loads(content)
                if layer is not None:
                    described["config"]["layers"][-1] = layer
                described["compile_config"] = compile_config
                content = json.dumps(described)
            written.writestr(name, content)
    return target


def described(module, class_name, config=None, registered_name=None):
    return {"module": module, "class_name": class_name, "config": config or {}, "registered_name": registered_name}


CODE = described(None, "__lambda__", {"value": "AAAA"})
LAMBDA = described("keras.layers", "Lambda", {"name": "f", "function": CODE})
EXIT = described("builtins", "function", "exit")
OPEN = described("keras.utils", "function", "get_file")
LOOKUP = described("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"})


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (LAMBDA, "holds code: 'Lambda'"),
        (described("keras.layers", "Activation", {"activation": CODE}), "holds code: '__lambda__'"),
        (described("keras.layers", "TFSMLayer", {"filepath": "/tmp"}), "holds code: 'TFSMLayer'"),
        (described("keras.layers", "Activation", {"activation": OPEN}), r"needs 'get_file' .* not known here"),
        (described("keras.layers", "Activation", {"activation": EXIT}), r"needs 'exit' .* not known here"),
        (described("keras.config", "enable_unsafe_deserialization"), "needs 'enable_unsafe_deserialization'"),
        (described("keras_hub.layers", "Attack"), r"needs 'Attack' of the module 'keras_hub\.layers'"),
        (described("lurking", "Attack", registered_name="lurking>Attack"), "nothing is imported because a file"),
        (described("keras.utils", "function", "get_file", "audiopipe>FeatureStamp"), "needs 'get_file'"),
        (described("keras.layers", "Activation", {"activation": described(3, "function")}), "is damaged"),
        (LOOKUP, "would read the file '/etc/passwd'"),
    ],
)
def test_a_file_with_code_or_unknown_objects_is_refused(serving_file, layer, message, tmp_path):
    path = forged(serving_file("model.keras"), tmp_path / "model.keras", layer)
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_settings_of_compile_are_checked_only_if_they_are_used(serving_file, tmp_path, serving):
    path = forged(
        serving_file("model.keras"), tmp_path / "model.keras", loss=described("builtins", "function", "team_loss")
    )
    with pytest.raises(ModelError, match="needs 'team_loss'"):
        load_model(path)
    assert np.array_equal(load_model(path, compile=False)(AUDIO), serving(AUDIO))
    assert load_model(path, custom_objects={"team_loss": keras.losses.mean_squared_error}).compiled


def test_a_stamp_that_was_edited_is_refused(config, tmp_path):
    config.stamp_model(sequential()).save(tmp_path / "model.keras")
    path = tmp_path / "edited.keras"
    with zipfile.ZipFile(tmp_path / "model.keras") as archive, zipfile.ZipFile(path, "w") as written:
        for name in archive.namelist():
            change = (
                (b'hop_length\\":100', b'hop_length\\":99')
                if name == "config.json"
                else (b'"hop_length":100', b'"hop_length":99')
            )
            written.writestr(name, archive.read(name).replace(*change))
    with pytest.raises(FingerprintError, match="was edited"):
        load_model(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeamFeature(configs.StftMagnitude):
    """A config of another package."""


def test_a_program_without_the_class_of_the_config_can_load_a_model_but_not_read_its_config(
    config, tmp_path, monkeypatch
):
    fields = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    TeamFeature(**fields).stamp_model(sequential()).save(tmp_path / "model.keras")
    monkeypatch.delitem(config_classes._classes, TeamFeature.feature_name())
    model = load_model(tmp_path / "model.keras")
    with pytest.raises(FingerprintError, match=r"TeamFeature' is not known here"):
        fingerprint_of(model)


@keras.saving.register_keras_serializable("tests")
class Broken(keras.layers.Layer):
    @classmethod
    def from_config(cls, config):
        raise RuntimeError("the layer of somebody")


def test_errors_of_other_layers_are_errors_of_audiopipe(serving_file, tmp_path):
    layer = described(None, "Broken", registered_name="tests>Broken")
    path = forged(serving_file("model.keras"), tmp_path / "model.keras", layer)
    with pytest.raises(AudiopipeError, match="cannot be loaded: RuntimeError: the layer of somebody"):
        load_model(path)


def with_machine(config, **changes):
    """Returns a model whose features were computed on another machine, as its stamp says."""
    stamp = json.loads(config.stamp_layer().stamp)
    [facts] = stamp["machines"]
    stamp["machines"] = [{**facts, **changes}]
    inputs = keras.Input((None, 129, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(FeatureStamp(json.dumps(stamp))(inputs))
    return keras.Model(inputs, pooled)


def test_a_model_of_another_machine_warns_only_if_the_bits_differ(config, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    with_machine(config, onednn_max_isa="SSE41").save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(path)  # the probe says that the bits agree
    other = Transform(config)
    compute = other.compute
    monkeypatch.setattr(other, "compute", lambda samples: compute(samples) + np.float32(1e-3))
    record = probe.measure(other)
    with_machine(config, onednn_max_isa="SSE41", probe=record.to_dict()).save(path)
    with pytest.warns(MachineWarning, match=r"was trained on features of another environment.*\(0\.001\d* dB\)"):
        load_model(path)
    shown = CliRunner().invoke(cli.app, ["machine", str(path)])
    assert (shown.exit_code, "differs here by at most 0.001" in shown.output) == (1, True)
    config.stamp_model(sequential()).save(path)
    shown = CliRunner().invoke(cli.app, ["machine", str(path)])
    assert (shown.exit_code, "has the same bits here" in shown.output) == (0, True)


def test_a_stamp_from_a_normalized_view_is_compared_with_the_probe_of_the_stored_features(shared_feature_set):
    numbers = Statistics(mean=np.linspace(-40, -10, 129), std=np.full(129, 8.0))
    view = FeatureSet(shared_feature_set).normalized(numbers)
    [stamp] = fingerprints.stamps_of(view.stamp_model(sequential()))
    [found] = machine_checks.check(stamp.machines, stamp.config, stamp.kernel_version, always=True)
    assert found.verdict.agrees


def test_a_stamp_with_machines_of_another_form_is_refused(config):
    for wrong in ([3], [{}], [{"versions": 3}]):
        stamp = json.loads(config.stamp_layer().stamp) | {"machines": wrong}
        with pytest.raises(ArgumentError, match="stamp must be the JSON of a config"):
            FeatureStamp(json.dumps(stamp))
