"""Features and targets for small classifiers."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from classifiers import sequential


@pytest.fixture(scope="session")
def other(config):
    return dataclasses.replace(config, hop_length=99)


@pytest.fixture(scope="session")
def feature():
    """Returns a batch with the shape of the feature of the shared config."""
    return np.random.default_rng(0).standard_normal((4, 7, 129, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def serving(config):
    """Returns a model that computes its feature, with a stamp behind its front end."""
    return keras.Sequential([keras.Input((None, 1)), config.layer(), config.stamp_model(sequential())])


@pytest.fixture(scope="session")
def serving_file(serving, tmp_path_factory):
    """Returns a function that saves this model in a form, once, and returns the path."""
    folder = tmp_path_factory.mktemp("serving")

    @functools.cache
    def saved(form):
        if form == "model.keras":
            serving.save(folder / form)
        elif form == "exported":
            serving.export(folder / form, verbose=False)
        else:
            tf.saved_model.save(serving, folder / form)
        return folder / form

    return saved
