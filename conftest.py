"""What the examples in docstrings may use without importing it."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _names_for_examples(request):
    if request.node.__class__.__name__ == "DoctestItem":
        import tensorflow as tf

        request.getfixturevalue("doctest_namespace").update(np=np, tf=tf)
