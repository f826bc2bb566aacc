"""Iterators that `tf.train.Checkpoint` restores go on as if nothing had happened."""

import logging
import os

import pytest
import tensorflow as tf
from clip_cases import MONO
from random_pipelines import bucketed, windows

from audiopipe import load, tfdata


def values(batches):
    return [batch["feature"].tolist() for batch in batches]


def restored(make, taken, path, repeats=1):
    """Returns what is left after some batches: of an iterator, and of one that is restored as in a new process."""
    iterator = make().repeat(repeats).as_numpy_iterator()
    for _ in range(taken):
        next(iterator)
    saved = tf.train.Checkpoint(iterator=iterator._iterator).save(path)
    again = make().repeat(repeats).as_numpy_iterator()
    tf.train.Checkpoint(iterator=again._iterator).restore(saved).assert_consumed()
    return values(iterator), values(again)


def test_a_restored_iterator_goes_on_with_the_batches_that_were_left_in_this_and_later_epochs(tmp_path):
    left, again = restored(windows, 6, tmp_path / "saved", repeats=3)
    assert again == left
    assert len(left) > 6


def test_a_restored_iterator_goes_on_with_the_buckets_that_were_left(tmp_path):
    left, again = restored(bucketed, 1, tmp_path / "saved")
    assert again == left != []


@pytest.mark.faults
def test_epochs_after_a_restored_one_have_their_order(tmp_path):
    def start():
        dataset = bucketed()
        resume = tfdata.ResumeEpochs(dataset)
        resume.on_epoch_begin(2)
        return dataset, resume, dataset.as_numpy_iterator()

    def finish(dataset, resume, iterator):
        left = values(iterator)
        resume.on_epoch_begin(3)
        return left, values(dataset.as_numpy_iterator())

    first, second = start(), start()
    next(first[-1])
    path = tf.train.Checkpoint(iterator=first[-1]._iterator).save(tmp_path / "saved")
    tf.train.Checkpoint(iterator=second[-1]._iterator).restore(path)
    assert finish(*first) == finish(*second)


def test_a_restored_iterator_goes_on_with_the_crops_of_a_whole_feature_set(shared_feature_set, tmp_path):
    def crops():
        return tfdata.random_crop(load(shared_feature_set), 12, shared_feature_set, seed=1).batch(3)

    left, again = restored(crops, 1, tmp_path / "saved")
    assert again == left != []


def test_the_state_of_an_iterator_does_not_hold_what_was_read_ahead(tmp_path):
    clips = tf.data.Dataset.range(50).map(lambda _: {"feature": tf.zeros([1000, 5, 1]), "n_frames": 1000})
    iterator = iter(tfdata.padded_batch(tfdata.random_crop(clips, 900, MONO), 5, MONO))
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(tmp_path / "saved")
    assert sum(os.path.getsize(tmp_path / name) for name in os.listdir(tmp_path)) < 10_000, path


def test_buckets_need_no_warning(caplog):
    with caplog.at_level(logging.WARNING, logger="absl"):
        bucketed()
    assert not caplog.records
