"""Transforms that tests share, because tracing takes long."""

import pytest
from transform_examples import make


@pytest.fixture(scope="module")
def mel():
    """A transform to mono decibels, shared by the tests that do not count traces."""
    return make()


@pytest.fixture(scope="module")
def kept():
    """A transform that keeps all channels."""
    return make(channels=None)
