"""Epochs that keep their order when training was interrupted."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.epoch_seeds import saved_with_elements

_IGNORE = tf.data.experimental.ExternalStatePolicy.IGNORE.value


class ResumeEpochs(keras.callbacks.Callback):
    """Callback of `fit` that gives each epoch its own order, whichever epoch training starts with.

    `keras.callbacks.BackupAndRestore` restores the weights in a new process and continues with the interrupted epoch.
    Without this callback, the dataset would start with the order of the first epoch again. Use the callback from the
    first run. It also makes `fit(initial_epoch=n)` exact.

    The orders of `audiopipe.load` and `Dataset.shuffle`, the places of `tfdata.random_crop`, and all batches of them
    are exact, whatever else iterates over the dataset. Put `shuffle` first, because random operations before it also
    depend on how many iterators returned an element before training. The callback has no influence on random operations
    in functions of `Dataset.map`.

    In your own training loop, call `on_epoch_begin(epoch)` before each `iter(dataset)`. `tf.train.Checkpoint` restores
    an iterator within its epoch, and this callback sets the orders of later epochs.

    Args:
        dataset: The dataset that you pass to `fit`. All its random operations need a seed. Each process must make it in
            the same way.

    Raises:
        ArgumentError: If `dataset` is not a finite dataset, or its iterators cannot be saved. In `fit`, if
            `steps_per_epoch` is not the number of batches: Keras then uses one iterator for several epochs.

    Example:
        >>> def orders(first_epoch):
        ...     dataset = tf.data.Dataset.range(99).shuffle(99, seed=1)
        ...     resume = ResumeEpochs(dataset)
        ...     for epoch in range(first_epoch, 4):
        ...         resume.on_epoch_begin(epoch)       # Keras calls it
        ...         yield [int(number) for number in dataset]
        >>> first, second, third, fourth = orders(0)
        >>> list(orders(2)) == [third, fourth], third == fourth
        (True, False)
    """

    def __init__(self, dataset: tf.data.Dataset):
        super().__init__()
        if not isinstance(dataset, tf.data.Dataset):
            raise checks.fail("dataset", "the tf.data.Dataset that fit gets", dataset)
        self._cardinality = int(dataset.cardinality())
        if self._cardinality == tf.data.INFINITE_CARDINALITY:
            raise ArgumentError(
                "dataset must be finite, so that each epoch starts a new iterator. Received: an endless dataset. Leave "
                "out repeat(), or give the length of an epoch: dataset.take(n)."
            )
        self._dataset = dataset
        # Iterators of both datasets draw from the same random numbers. An iterator is saved with the position of the
        # next one in these numbers, and restoring it sets the position for all. A map makes elements of known type.
        self._states = saved_with_elements(dataset.map(lambda *_: 0))
        try:
            self._first_state = self._state = self._next_state()
        except tf.errors.OpError as error:
            raise ArgumentError(
                f"tf.train.Checkpoint must be able to save the iterators of dataset. Received: {dataset!r}. Leave out "
                f"the operation that has a state: {error.message}"
            ) from error
        self._epoch = 0  # the epoch that starts in the state
        self._begun: int | None = None  # the epoch that Keras started last

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Gives the iterator that starts next the order of an epoch."""
        self._check_steps()
        if epoch < self._epoch:
            self._epoch, self._state = 0, self._first_state
        for earlier in range(self._epoch, epoch):
            self._restore()
            if earlier != self._begun:
                # Random operations before a `shuffle` start with the first element, and no state has them until then.
                next(iter(self._dataset), None)
                self._restore()
            self._state = self._next_state()
        self._epoch = self._begun = epoch
        self._restore()

    def _check_steps(self) -> None:
        steps = (self.params or {}).get("steps")
        if steps is not None and steps != self._cardinality:
            known = "an unknown number of" if self._cardinality < 0 else self._cardinality
            raise ArgumentError(
                f"An epoch must have all batches of the dataset of ResumeEpochs. Received: {steps} steps, and {known} "
                "batches. Pass the dataset that fit gets, and no steps_per_epoch: dataset.take(n) makes epochs shorter."
            )

    def _next_state(self) -> tf.Tensor:
        """Starts an iterator and returns the state in which the one after it starts."""
        return tf.raw_ops.SerializeIterator(resource_handle=self._iterator(), external_state_policy=_IGNORE)

    def _restore(self) -> None:
        """Lets the next iterator start in the state."""
        tf.raw_ops.DeserializeIterator(resource_handle=self._iterator(), serialized=self._state)

    def _iterator(self) -> tf.Tensor:
        spec = self._states.element_spec
        iterator = tf.raw_ops.AnonymousIteratorV3(output_types=[spec.dtype], output_shapes=[spec.shape])
        tf.raw_ops.MakeIterator(dataset=tf.data.experimental.to_variant(self._states), iterator=iterator)
        return iterator
