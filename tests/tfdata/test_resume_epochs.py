"""The orders that `fit` feeds after training was interrupted, with and without batches that are counted."""

import contextlib
import typing

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_pipelines import bucketed, counted, shuffled

from audiopipe import tfdata
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.epoch_seeds import random_numbers

EPOCHS = 4


class Fed(keras.layers.Layer):
    """Layer that writes down what it is fed, and may fail."""

    fed: typing.ClassVar[list] = []
    fails_at = None

    def call(self, feature):
        def write(values):
            if len(self.fed) == self.fails_at:
                raise RuntimeError("the machine was switched off")
            self.fed.append(np.array(values))
            return values

        outputs = tf.numpy_function(write, [feature[:, :2, 0, 0]], tf.float32)
        return tf.ensure_shape(outputs, [None, 2])


def fit(monkeypatch, folder, make, *, built=True, fails_at=None):
    """Trains as a new process would, and returns what was fed in each epoch.

    A model that is not built is built with a batch of the dataset, as BackupAndRestore advises.
    """
    monkeypatch.setattr(Fed, "fails_at", None)
    starts = []
    note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: starts.append((epoch, len(Fed.fed))))
    dataset = make()
    resume = tfdata.ResumeEpochs(dataset)
    model = keras.Sequential([*([keras.Input((None, 5, 1))] if built else []), Fed(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    if not built:
        model(next(iter(dataset))["feature"])
    monkeypatch.setattr(Fed, "fed", [])
    monkeypatch.setattr(Fed, "fails_at", fails_at)
    backup = [keras.callbacks.BackupAndRestore(folder)] if folder else []
    pairs = dataset.map(lambda batch: (batch["feature"], tf.zeros_like(batch["n_frames"], tf.float32)))
    fails = pytest.raises(tf.errors.UnknownError, match="switched off") if fails_at else contextlib.nullcontext()
    with fails:
        model.fit(pairs, epochs=EPOCHS, verbose=0, callbacks=[*backup, resume, note])
    ends = [*(place for _, place in starts[1:]), len(Fed.fed)]
    return {epoch: [batch.tolist() for batch in Fed.fed[first:end]]
            for (epoch, first), end in zip(starts, ends, strict=True)}  # fmt: skip


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize(("make", "built"), [(counted, False), (bucketed, False), (shuffled, True)])
def test_epochs_after_an_interruption_have_the_orders_of_training_without_one(monkeypatch, tmp_path, make, built):
    whole = fit(monkeypatch, None, make)
    first = fit(monkeypatch, tmp_path / "backup", make, fails_at=8)
    second = fit(monkeypatch, tmp_path / "backup", make, built=built)
    assert list(whole) == [0, 1, 2, 3]
    assert (list(first), list(second)) == ([0, 1, 2], [2, 3])
    assert {**first, **second} == whole
    assert len({str(epoch) for epoch in whole.values()}) == EPOCHS


def numbers():
    """Returns a cheap dataset that is new in each epoch."""
    return tf.data.Dataset.zip(tf.data.Dataset.range(3), random_numbers(3)).map(lambda _, number: number).prefetch(1)


def shuffled_numbers():
    return numbers().shuffle(3, seed=1)


def orders(make, epochs, between=0):
    """Returns the order of each epoch, with some other iterations in between."""
    dataset = make()
    resume = tfdata.ResumeEpochs(dataset)
    made = []
    for epoch in epochs:
        for _ in range(between):
            next(iter(dataset))
        resume.on_epoch_begin(epoch)
        made.append(list(dataset.as_numpy_iterator()))
    return made


def test_the_order_of_an_epoch_depends_on_nothing_but_its_number():
    whole = orders(numbers, range(4))
    assert all(one != other for place, one in enumerate(whole) for other in whole[:place])
    assert orders(numbers, [2, 3], between=1) == whole[2:]
    assert orders(numbers, [3, 0, 1]) == [whole[3], whole[0], whole[1]]


def test_what_is_random_before_a_shuffle_keeps_its_order_too():
    whole = orders(shuffled_numbers, range(4))
    assert whole[2] != whole[3]
    assert orders(shuffled_numbers, [2, 3]) == whole[2:]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ([1, 2], r"dataset must be the tf\.data\.Dataset that fit gets"),
        (tf.data.Dataset.range(3).repeat(), "dataset must be finite"),
    ],
)
def test_other_datasets_are_refused(dataset, message):
    with pytest.raises(ArgumentError, match=message):
        tfdata.ResumeEpochs(dataset)


@pytest.mark.parametrize(("steps", "batches"), [(2, 3), (3, None)])
def test_steps_per_epoch_is_refused(steps, batches):
    dataset = tf.data.Dataset.range(3) if batches else tf.data.Dataset.range(3).filter(lambda number: number > -1)
    resume = tfdata.ResumeEpochs(dataset)
    resume.set_params({"steps": steps})
    with pytest.raises(
        ArgumentError, match=f"Received: {steps} steps, and {batches or 'an unknown number of'} batches"
    ):
        resume.on_epoch_begin(0)
