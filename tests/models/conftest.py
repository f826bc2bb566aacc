"""Features and targets for small classifiers."""

import dataclasses

import numpy as np
import pytest


@pytest.fixture(scope="session")
def other(config):
    return dataclasses.replace(config, hop_length=99)


@pytest.fixture(scope="session")
def feature():
    """Returns a batch with the shape of the feature of the shared config."""
    return np.random.default_rng(0).standard_normal((4, 7, 129, 1)).astype(np.float32)
