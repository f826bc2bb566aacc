"""`check` and `FeatureCheck`: models and features that do not fit are refused."""

import datasets
import keras
import numpy as np
import pytest
from classifiers import Subclass, functional, sequential

import audiopipe
from audiopipe import FeatureCheck, FeatureSet, Statistics, check, hf, load
from audiopipe.errors import ArgumentError, AudiopipeError, ConfigMismatchError, FingerprintError


def serving(config):
    return keras.Sequential([keras.Input((None, 1)), config.layer(), keras.layers.GlobalAveragePooling2D()])


@pytest.mark.cases(1)
@pytest.mark.parametrize("make", [lambda config: config.stamp_model(sequential()), serving], ids=["stamp", "front end"])
def test_a_model_is_checked_against_everything_that_says_which_feature_it_is(
    make, config, other, shared_feature_set, clips, mel
):
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})
    sets = FeatureSet(shared_feature_set)
    right, wrong = make(config), make(other)
    for features in (
        str(shared_feature_set),
        shared_feature_set,
        sets,
        sets.where(clean=True),
        [sets[:2], sets[2:]],
        hf.map(rows, mel),
        config,
        mel,
        make(config),
    ):
        check(right, features)
        with pytest.raises(ConfigMismatchError, match="The model takes another feature") as caught:
            check(wrong, features)
        for part in (config.fingerprint, other.fingerprint, "hop_length: 99 != 100"):
            assert part in str(caught.value)


def test_a_model_by_itself_must_not_contradict_itself(config, other):
    check(config.stamp_model(sequential()))
    check(keras.Sequential([config.layer(), config.stamp_model(sequential())]))
    with pytest.raises(ConfigMismatchError, match="trained on another feature than the one that it computes"):
        check(keras.Sequential([other.layer(), config.stamp_model(sequential())]))


def test_a_model_that_says_nothing_is_refused_with_advice(config, shared_feature_set):
    for model in (sequential(), Subclass()):
        with pytest.raises(FingerprintError, match=r"config\.stamp_model\(model\)"):
            check(model, shared_feature_set)


def test_features_of_an_older_kernel_version_are_refused(config, shared_feature_set, monkeypatch):
    monkeypatch.setattr(type(config), "kernel_version", config.kernel_version + 1)
    with pytest.raises(ConfigMismatchError, match="kernel_version: 3 != 2"):
        check(config.stamp_model(sequential()), shared_feature_set)
    check(FeatureSet(shared_feature_set).stamp_model(sequential()), shared_feature_set)


def test_a_tf_data_dataset_is_refused_because_it_does_not_say_what_it_holds(config, shared_feature_set):
    with pytest.raises(ArgumentError, match="Pass the feature set"):
        check(config.stamp_model(sequential()), load(shared_feature_set))
    with pytest.raises(ArgumentError, match="Pass the feature set"):
        FeatureCheck(load(shared_feature_set))
    with pytest.raises(ArgumentError, match="do not say which feature they hold"):
        FeatureCheck(np.zeros((2, 7, 129, 1), np.float32))


@pytest.mark.cases(1)
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: keras.Sequential([model])], ids=["", "nested"])
def test_a_classifier_behind_the_layer_of_another_config_is_refused_when_it_is_called(config, other, wrap, mel):
    """Nobody has to ask: a call, a graph, and the construction of a flat model all refuse."""
    model = wrap(config.stamp_model(sequential()))
    audio = np.zeros((2, 1000, 1), np.float32)
    right = keras.Sequential([keras.Input((None, 1)), config.layer(), model])
    assert np.array_equal(right(audio), model(mel(audio)))
    behind = keras.Sequential([keras.Input((None, 1)), other.layer(), model])
    for compute in (behind, lambda audio: behind.predict(audio, verbose=0), lambda audio: model(other.layer()(audio))):
        with pytest.raises(ConfigMismatchError, match=r"was trained on another feature(?s:.)*hop_length: 100 != 99"):
            compute(audio)
    with pytest.raises(ConfigMismatchError, match="hop_length: 100 != 99"):
        keras.Sequential([keras.Input((None, 1)), other.layer(), config.stamp_layer(), keras.layers.Dense(1)])


def test_a_layer_of_another_release_or_class_is_refused_when_the_model_is_called(config, monkeypatch):
    model = config.stamp_model(sequential())
    audio = np.zeros((1, 1000, 1), np.float32)
    with pytest.raises(ConfigMismatchError, match="feature: 'StftMagnitude' != 'MelSpectrogram'"):
        model(audiopipe.configs.MelSpectrogram(sample_rate=8000, n_mels=129).layer()(audio))
    monkeypatch.setitem(audiopipe.identity.kernel_versions.VERSIONS, "StftMagnitude", config.kernel_version + 1)
    with pytest.raises(ConfigMismatchError, match="kernel_version: 2 != 3"):
        model(config.layer()(audio))


RUNS = {
    "fit": lambda model, feature, check: model.fit(feature, np.zeros((4, 2)), verbose=0, callbacks=[check]),
    "evaluate": lambda model, feature, check: model.evaluate(feature, np.zeros((4, 2)), verbose=0, callbacks=[check]),
    "predict": lambda model, feature, check: model.predict(feature, verbose=0, callbacks=[check]),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_callback_refuses_to_train_to_evaluate_and_to_predict(run, config, other, shared_feature_set, feature):
    model = other.stamp_model(sequential())
    model.compile("sgd", "mse", run_eagerly=True)
    before = model.get_weights()
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100"):
        run(model, feature, FeatureCheck(shared_feature_set))
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    run(model, feature, FeatureCheck(other))


def test_the_callback_checks_models_with_several_inputs(config, other, feature):
    callbacks = [FeatureCheck(config)]
    inputs = {"feature": feature, "n_frames": np.full(len(feature), 7.0)}
    config.stamp_model(functional()).predict(inputs, verbose=0, callbacks=callbacks)
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100"):
        other.stamp_model(functional()).predict(inputs, verbose=0, callbacks=callbacks)


def test_the_callback_opens_its_features_when_it_is_made(tmp_path):
    with pytest.raises(AudiopipeError, match="nowhere"):
        FeatureCheck(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def normalized(config):
    return config.normalized(Statistics(mean=np.linspace(-40, -10, 129), std=np.full(129, 8.0)))


def test_a_model_of_a_normalized_feature_takes_the_view_but_not_the_stored_set(normalized, shared_feature_set):
    model = normalized.stamp_model(sequential())
    sets = FeatureSet(shared_feature_set)
    with pytest.raises(ConfigMismatchError, match=r"before the normalization(?s:.)*FeatureSet\(\.\.\.\)\.normalized"):
        check(model, sets)
    with pytest.raises(ConfigMismatchError, match="before the normalization"):
        FeatureCheck(shared_feature_set)._expectation.check(audiopipe.fingerprint_of(model))
    view = sets.normalized(model)
    check(model, view)
    loaded = next(iter(load(shared_feature_set, config=model)))["feature"]
    assert np.array_equal(loaded, view[0]["feature"])
    assert audiopipe.fingerprint_of(view.stamp_model(sequential())).fingerprint == normalized.fingerprint


def test_a_model_of_the_stored_feature_does_not_take_a_normalized_view(normalized, config, shared_feature_set):
    view = FeatureSet(shared_feature_set).normalized(normalized)
    with pytest.raises(ConfigMismatchError, match="is normalized on reading"):
        check(config.stamp_model(sequential()), view)


def test_a_front_end_with_and_one_without_normalization_are_told_apart_when_a_model_is_called(normalized, config):
    audio = np.zeros((1, 1000, 1), np.float32)
    model = normalized.stamp_model(sequential())
    assert keras.Sequential([normalized.layer(), model])(audio).shape == (1, 2)
    with pytest.raises(ConfigMismatchError, match=r"standardization: .* != None"):
        keras.Sequential([config.layer(), model])(audio)
    with pytest.raises(ConfigMismatchError, match=r"standardization: None != "):
        keras.Sequential([normalized.layer(), config.stamp_model(sequential())])(audio)
