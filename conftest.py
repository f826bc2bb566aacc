"""What the examples in docstrings may use without importing it, and the cache of all tests."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _names_for_examples(request):
    if request.node.__class__.__name__ == "DoctestItem":
        import tensorflow as tf

        request.getfixturevalue("doctest_namespace").update(np=np, tf=tf)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_the_tests(tmp_path_factory):
    """Keeps results in a folder of this run, so that no test finds what another run has kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOPIPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
