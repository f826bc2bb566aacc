"""Iterators that are saved with `tf.train.Checkpoint` continue with exactly the elements that were left."""

import json
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
import restoring
import synthetic_sets
from synthetic_sets import COLUMNS, feature

from audiopipe import FeatureSet, load

PROGRAM = Path(__file__).with_name("restoring.py")
SIZE = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("restored") / "features"
    clips = {
        f"{number:02d}": (feature(1 + number % 5, seed=number), {"take": number, "clean": True, "tags": ["x"]})
        for number in range(SIZE)
    }
    synthetic_sets.write(path, clips, columns=COLUMNS, shards=3)
    return path


@pytest.mark.faults
def test_a_new_process_continues_with_the_elements_that_were_left(folder, tmp_path):
    left = {name: restoring.saved(dataset(), f"{tmp_path}/{name}") for name, dataset in restoring.cases(folder).items()}
    command = [sys.executable, PROGRAM, folder, tmp_path, tmp_path / "found.json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "found.json").read_text()) == left


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", ["view", "shuffled in its second epoch", "shuffled crops in batches"])
def test_an_iterator_over_a_local_or_remote_set_continues(folder, memory, tmp_path, name):
    fsspec.filesystem("memory").put(str(folder), "/test", recursive=True)
    found = []
    for place in (folder, memory):
        found.append(restoring.saved(restoring.cases(place)[name](), f"{tmp_path}/saved"))
        found.append(restoring.left(restoring.restored(restoring.cases(place)[name](), f"{tmp_path}/saved")))
    assert found == [found[0]] * 4
    assert len(found[0]) > 5


def test_new_iterators_continue_with_the_epochs_that_follow(folder, tmp_path):
    def dataset():
        return load(FeatureSet(folder), columns=[], crop_frames=2, shuffle=True, seed=3)

    whole, again = dataset(), dataset()
    left = restoring.saved(whole, f"{tmp_path}/saved")
    following = [restoring.left(whole) for _ in range(2)]
    assert restoring.left(restoring.restored(again, f"{tmp_path}/saved")) == left
    assert [restoring.left(again) for _ in range(2)] == following
    assert following[0] != following[1]
