"""What `hf.spawned` changes, and that it changes it back. `tests/runtime/test_forks.py` runs its processes."""

import datasets.arrow_dataset
import dill
import multiprocess
import pytest

from audiopipe import hf


def test_the_pool_of_datasets_is_replaced_for_as_long_as_it_lasts():
    with hf.spawned():
        assert datasets.arrow_dataset.mp is not multiprocess
        outer = datasets.arrow_dataset.mp
        with hf.spawned():
            assert datasets.arrow_dataset.mp is not outer
        assert datasets.arrow_dataset.mp is outer
    assert datasets.arrow_dataset.mp is multiprocess


def test_an_error_restores_it_too():
    recurse = dill.settings["recurse"]
    with pytest.raises(KeyError), hf.spawned():
        raise KeyError
    assert datasets.arrow_dataset.mp is multiprocess
    assert dill.settings["recurse"] is recurse
