"""Iterators over `load(...)` that are saved in the middle of an epoch and restored, in this process or in a new one.

    python restoring.py FEATURE_SET CHECKPOINTS RESULT

restores the iterators of all cases and writes what they still give into a JSON file.
"""

import json
import sys
from hashlib import sha256

import numpy as np
import tensorflow as tf

from audiopipe import FeatureSet, load

TAKEN = 9  # elements before an iterator is saved


def cases(folder):
    """Returns functions that make datasets, by name. Random ones have several epochs."""
    sets = FeatureSet(folder)
    view = sets[::-1][2:]
    shuffled = {"shuffle": True, "seed": 3}
    return {
        "whole": lambda: load(folder),
        "view": lambda: load(view),
        "shuffled": lambda: load(sets, **shuffled).repeat(3),
        "shuffled in its second epoch": lambda: load(view, **shuffled).repeat(3).skip(len(sets)),
        "shuffled crops in batches": lambda: load(sets, columns=[], crop_frames=2, **shuffled).repeat(2).batch(2),
        "crops in order": lambda: load(view, columns=["take"], crop_frames=2, seed=4).repeat(2),
        "weighted": lambda: load([sets[:5], sets[5:]], weights=[2, 1], seed=5).repeat(2),
    }


def left(iterator):
    """Returns a digest of all values of each element that an iterator still gives."""
    contents = ([(name, np.asarray(element[name]).tolist()) for name in sorted(element)] for element in iterator)
    return [sha256(repr(content).encode()).hexdigest() for content in contents]


def saved(dataset, path):
    """Takes some elements of a dataset, saves the iterator, and returns what is left."""
    iterator = iter(dataset)
    for _ in range(TAKEN):
        next(iterator)
    tf.train.Checkpoint(iterator=iterator).write(path)
    return left(iterator)


def restored(dataset, path):
    """Restores an iterator that `saved` has saved, and returns it."""
    iterator = iter(dataset)
    tf.train.Checkpoint(iterator=iterator).read(path).assert_consumed()
    return iterator


def main():
    folder, checkpoints, result = sys.argv[1:]
    found = {name: left(restored(dataset(), f"{checkpoints}/{name}")) for name, dataset in cases(folder).items()}
    with open(result, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
