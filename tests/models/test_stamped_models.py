"""`stamp_model`: models of every kind that record the feature that they were trained on."""

import dataclasses
import json
import zipfile

import keras
import numpy as np
import pytest
from classifiers import Penalized, Subclass, functional, penalized, sequential

from audiopipe import FeatureSet, fingerprint_of, load
from audiopipe.errors import ArgumentError, ConfigMismatchError, FingerprintError
from audiopipe.feature_sets.fingerprints import stamps_of
from audiopipe.layers import FeatureStamp


def inputs_of(model, feature):
    return {"feature": feature, "n_frames": np.full(len(feature), 7.0)} if len(model.inputs) > 1 else feature


def same(one, other):
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("make", [sequential, functional, penalized])
def test_a_stamped_model_computes_the_same_with_the_same_layers(make, config, feature):
    model = make()
    stamped = config.stamp_model(model)
    batch = inputs_of(model, feature)
    assert same(stamped(batch), model(batch))
    assert stamped.trainable_variables[0] is model.trainable_variables[0]
    assert (type(stamped), stamped.name) == (type(model), model.name)
    assert [tensor.name for tensor in stamped.inputs] == [tensor.name for tensor in model.inputs]
    assert stamped.output_names == model.output_names if make is functional else True
    assert fingerprint_of(stamped).fingerprint == config.fingerprint
    with pytest.raises(FingerprintError, match=r"config\.stamp_model\(model\)"):
        fingerprint_of(model)


def test_a_model_of_a_class_of_its_own_is_stamped_before_and_after_it_is_built(config, feature):
    for build in (False, True):
        model = Subclass()
        if build:
            model(feature)
        stamped = config.stamp_model(model)
        assert same(stamped(feature), model(feature))
        assert fingerprint_of(stamped).fingerprint == config.fingerprint


def test_a_sequential_model_without_an_input_is_stamped_before_it_is_built(config, feature):
    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    stamped = config.stamp_model(model)
    assert stamped(feature).shape == (4, 2)
    assert fingerprint_of(stamped).config == config


def test_only_the_input_with_the_feature_gets_the_stamp(config):
    stamped = config.stamp_model(functional())
    layer = next(layer for layer in stamped.layers if isinstance(layer, FeatureStamp))
    assert layer.input.name == "feature"
    two = [keras.Input((None, 129, 1), name=name) for name in ("left", "right")]
    model = keras.Model(two, keras.layers.Add()(two))
    with pytest.raises(ArgumentError, match=r"one of: 'left' \(None, None, 129, 1\), 'right'.*input_name=None"):
        config.stamp_model(model)
    with pytest.raises(ArgumentError, match="input_name='middle'"):
        config.stamp_model(model, input_name="middle")
    stamped = config.stamp_model(model, input_name="right")
    [layer] = [layer for layer in stamped.layers if isinstance(layer, FeatureStamp)]
    assert layer.input.name == "right"


def test_a_name_tells_which_input_takes_the_feature_if_no_shape_does(config):
    """A model may squeeze the channels of the feature, and take a mask."""
    shapes = {"feature": (None, 129), "mask": (None, 1)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    model = keras.Model(inputs, inputs["feature"] * inputs["mask"])
    [layer] = [layer for layer in config.stamp_model(model).layers if isinstance(layer, FeatureStamp)]
    assert layer.input.name == "feature"
    unnamed = [keras.Input(shape, name=f"the_{name}") for name, shape in shapes.items()]
    with pytest.raises(ArgumentError, match=r"one of: 'the_feature' \(None, None, 129\), 'the_mask'"):
        config.stamp_model(keras.Model(unnamed, unnamed[0] * unnamed[1]))


def trained(model, feature):
    model.reset_metrics()
    return model.train_on_batch(feature, np.eye(2, dtype=np.float32)[[0, 1, 1, 0]], return_dict=True)


def test_training_goes_on_as_if_the_model_had_not_been_stamped(config, feature):
    """With Adam, the second step depends on the state of the optimizer."""
    model = sequential()
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], run_eagerly=True)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], run_eagerly=True)
    for each in (model, copy):
        trained(each, feature)
    stamped = config.stamp_model(model)
    assert [trained(stamped, feature) for _ in range(2)] == [trained(copy, feature) for _ in range(2)]


def test_a_compiled_model_keeps_losses_by_name_its_own_steps_and_scaled_losses(config, feature):
    model = functional()
    model.compile(
        "sgd", {"speaker": "mse", model.output_names[1]: lambda target, found: found - target}, run_eagerly=True
    )
    stamped = config.stamp_model(model)
    stamped.train_on_batch(inputs_of(model, feature), [np.zeros((4, 2)), np.zeros((4, 1))])
    model = penalized()
    model.compile(
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse", loss_weights=2.0, run_eagerly=True
    )
    stamped = config.stamp_model(model)
    assert isinstance(stamped, Penalized)
    assert stamped.optimizer is model.optimizer
    assert stamped.run_eagerly
    assert trained(stamped, feature)["penalty"] == 1.0


class OwnSteps(Subclass):
    def train_step(self, data):
        return {}


class OwnConstructor(Penalized):
    def __init__(self, n_outputs):
        inputs = keras.Input((None, 129, 1))
        super().__init__(inputs, keras.layers.Dense(n_outputs)(inputs))


def test_a_class_whose_training_cannot_be_kept_is_refused_with_advice(config):
    with pytest.raises(ArgumentError, match=r"own call and its own train_step.*self\.stamp = config\.stamp_layer\(\)"):
        config.stamp_model(OwnSteps())
    with pytest.raises(ArgumentError, match="cannot keep train_step of OwnConstructor"):
        config.stamp_model(OwnConstructor(2))


def test_what_takes_no_feature_is_not_stamped(config, other):
    for wrong, message in (
        (keras.layers.Dense(2), "model must be a Keras model"),
        (sequential(80), r"shape of the feature, \(None, None, 129, 1\). Received: \(None, None, 80, 1\)"),
        (keras.Sequential([config.layer()]), "computes them from audio"),
        (config.layer(), "computes them from audio"),
    ):
        with pytest.raises(ArgumentError, match=message):
            config.stamp_model(wrong)


def test_a_stamp_is_put_on_once_and_never_replaced(config, other):
    stamped = config.stamp_model(sequential())
    assert config.stamp_model(stamped) is stamped
    outer = keras.Sequential([stamped, keras.layers.Softmax()])
    assert config.stamp_model(outer) is outer
    with pytest.raises(ConfigMismatchError, match=r"stamp of the model .* says that it was trained on another feature"):
        other.stamp_model(stamped)


FORMS = ("model.keras", "exported")


def saved(model, form, folder):
    path = str(folder / form)
    if form == "model.keras":
        model.save(path)
    else:
        model.export(path, verbose=False)
    return path


@pytest.fixture(scope="module")
def files(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stamped")
    nested = keras.Sequential([keras.Input((None, 129, 1)), config.stamp_model(sequential()), keras.layers.Softmax()])
    return {form: saved(nested, form, folder) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_the_stamp_of_a_nested_model_is_read_from_every_file(files, form, config, other, shared_feature_set, tmp_path):
    identity = fingerprint_of(files[form])
    assert (identity.config, identity.fingerprint, identity.frozen) == (config, config.fingerprint, True)
    assert load(shared_feature_set, config=files[form]).cardinality() == 4
    wrong = saved(other.stamp_model(sequential()), "model.keras", tmp_path)
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100"):
        load(shared_feature_set, config=wrong)


@keras.saving.register_keras_serializable("tests")
class WithStamp(Subclass):
    """A class that makes its stamp itself, anew whenever it is loaded."""

    config = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stamp = type(self).config.stamp_layer()

    def call(self, feature):
        return super().call(self.stamp(feature))


def test_a_class_that_makes_its_stamp_keeps_the_saved_one_when_it_is_loaded(config, feature, tmp_path, monkeypatch):
    monkeypatch.setattr(WithStamp, "config", config)
    model = WithStamp()
    model(feature)
    path = saved(model, "model.keras", tmp_path)
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)  # of a later release
    assert fingerprint_of(WithStamp()).fingerprint == config.fingerprint_at(before + 1)
    loaded = keras.saving.load_model(path)
    assert loaded.stamp.stamp == model.stamp.stamp
    for found in (fingerprint_of(loaded), fingerprint_of(path)):
        assert found.fingerprint == config.fingerprint_at(before)


@pytest.mark.cases(2)
@pytest.mark.parametrize("form", ["model.keras", "exported", "saved"])
def test_a_front_end_and_a_stamp_of_one_feature_agree(config, serving, serving_file, form):
    assert (fingerprint_of(serving).frozen, fingerprint_of(serving).origin) == (False, "front end and stamp")
    identity = fingerprint_of(serving_file(form))
    assert (identity.fingerprint, identity.frozen) == (config.fingerprint, form != "model.keras")


@pytest.mark.parametrize("form", ["in memory", "model.keras"])
def test_a_front_end_of_another_feature_than_that_of_the_stamp_is_refused(config, other, form, tmp_path):
    model = config.stamp_model(sequential())
    serving = keras.Sequential([keras.Input((None, 1)), other.layer(), model])
    serving = serving if form == "in memory" else saved(serving, form, tmp_path)
    with pytest.raises(ConfigMismatchError, match="trained on another feature than the one that it computes") as caught:
        fingerprint_of(serving)
    for part in (config.fingerprint, other.fingerprint, "hop_length: 100 != 99"):
        assert part in str(caught.value)


def test_a_stamp_of_another_kernel_version_than_the_front_end_is_refused(config, monkeypatch):
    model = config.stamp_model(sequential())
    serving = keras.Sequential([keras.Input((None, 1)), config.layer(), model])
    monkeypatch.setattr(type(config), "kernel_version", config.kernel_version + 1)
    with pytest.raises(ConfigMismatchError, match="kernel_version: 2 != 3"):
        fingerprint_of(serving)


def test_a_set_stamps_a_model_with_its_kernel_version_and_its_machines(shared_feature_set, config, monkeypatch):
    sets = FeatureSet(shared_feature_set)
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)
    model = sets.stamp_model(sequential())
    assert fingerprint_of(model).fingerprint == sets.fingerprint == config.fingerprint_at(before)
    [stamp] = stamps_of(model)
    assert stamp.machines == sets.machines


def edited(path, folder, change):
    copy = folder / "edited.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            target.writestr(name, change(content.decode()) if name.endswith(".json") else content)
    return copy


def test_a_stamp_that_was_edited_is_refused(files, config, tmp_path):
    path = edited(files["model.keras"], tmp_path, lambda text: text.replace('hop_length\\":100', 'hop_length\\":99'))
    with pytest.raises(FingerprintError, match="was edited: its config"):
        fingerprint_of(path)
    stamp = json.loads(config.stamp_layer().stamp)
    for wrong in ("", "{}", "[]", json.dumps({**stamp, "kernel_version": "3"}), json.dumps({**stamp, "machines": 3})):
        with pytest.raises(ArgumentError, match="stamp must be the JSON of a config"):
            FeatureStamp(wrong)


def test_the_stamp_of_a_later_config_with_more_fields_is_read(config):
    changed = dataclasses.replace(config, channel=0)  # a field that was added later, and is not at its default
    stamped = changed.stamp_model(sequential())
    assert fingerprint_of(stamped).config.channel == 0


@pytest.mark.parametrize("make", [sequential, functional])
def test_weights_of_a_model_without_a_stamp_fit_the_stamped_model(make, config, feature, tmp_path):
    model = make()
    model.save_weights(tmp_path / "model.weights.h5")
    stamped = config.stamp_model(make())
    stamped.load_weights(tmp_path / "model.weights.h5")
    batch = inputs_of(model, feature)
    assert same(stamped(batch), model(batch))
