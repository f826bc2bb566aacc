"""Replacement and restoration of the pool of `datasets` by `hf.spawned`.

`tests/runtime/test_forks.py` runs the processes.
"""

import datasets.arrow_dataset
import dill
import multiprocess
import pytest

from audiopipe import hf


def test_spawned_replaces_the_pool_of_datasets_and_restores_it():
    with hf.spawned():
        assert datasets.arrow_dataset.mp is not multiprocess
        outer = datasets.arrow_dataset.mp
        with hf.spawned():
            assert datasets.arrow_dataset.mp is not outer
        assert datasets.arrow_dataset.mp is outer
    assert datasets.arrow_dataset.mp is multiprocess


def test_spawned_restores_everything_after_an_error():
    recurse = dill.settings["recurse"]
    with pytest.raises(KeyError), hf.spawned():
        raise KeyError
    assert datasets.arrow_dataset.mp is multiprocess
    assert dill.settings["recurse"] is recurse
