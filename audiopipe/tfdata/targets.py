"""Classes of clips as targets of a model, and as names."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST
from audiopipe.tfdata import entries, graph_errors
from audiopipe.tfdata.classes import UNKNOWN, Classes, ClassesLike, shown


def one_hot(dataset: tf.data.Dataset, column: str, classes: ClassesLike) -> tf.data.Dataset:
    """Replaces the class of each clip by a vector that is 1 at its position and 0 elsewhere.

    Args:
        dataset: Dataset of dicts, as `audiopipe.load` returns it, or batches of them.
        column: Column with one class per clip: its position, or its name.
        classes: Names of the classes in order, or a `FeatureSet` or its path, which has the classes of the column. If
            the column has positions, pass the feature set, because positions refer to its list. For clips of several
            sets, pass `FeatureSet([a, b])`. Texts in a list are names, not paths.

    Returns:
        The dataset with float32 `[classes]` in the column, or `[batch, classes]`. A missing or unknown class raises
        `tf.errors.InvalidArgumentError` during iteration, with the id of the clip.

    Raises:
        ArgumentError: If there is no such column, it has other values or lists, or it has no classes.

    See Also:
        `multi_hot` for lists of classes. `keras.losses.SparseCategoricalCrossentropy` takes integer positions, without
        this function.

    Example:
        >>> clips = tf.data.Dataset.from_tensor_slices({"id": ["a", "b"], "label": [1, 0]})
        >>> [clip["label"].tolist() for clip in one_hot(clips, "label", ["cat", "dog"]).as_numpy_iterator()]
        [[0.0, 1.0], [1.0, 0.0]]
    """

    def convert(element: dict[str, tf.Tensor], known: Classes) -> tf.Tensor:
        positions = known.positions(element[column])
        advice = "Leave clips without a class out: load(sets.where(...))."
        with tf.control_dependencies([_require(element, known, positions >= 0, advice)]):
            return tf.one_hot(positions, len(known), dtype=tf.float32)

    return _converted(dataset, column, classes, convert, rank=0)


def multi_hot(dataset: tf.data.Dataset, column: str, classes: ClassesLike) -> tf.data.Dataset:
    """Replaces the list of classes of each clip by a vector that is 1 at their positions and 0 elsewhere.

    Args:
        dataset: Dataset of dicts, as `audiopipe.load` returns it, or padded batches of them.
        column: Column with a list of classes per clip: their positions, or their names.
        classes: As in `one_hot`.

    Returns:
        The dataset with float32 `[classes]` in the column, or `[batch, classes]`. An empty list gives zeros, and so
        does the padding of batches (-1 or empty text).

        If classes of a clip are not known, `tf.errors.InvalidArgumentError` names the clip during iteration. This is
        the case for an unknown class, a missing list, and -1 or empty text within the length of a list.

    Raises:
        ArgumentError: If there is no such column, it has other values or no lists, or it has no classes.

    Example:
        >>> clips = tf.data.Dataset.from_tensors({"id": "a", "tags": ["rain", "car"]})
        >>> [clip["tags"].tolist() for clip in multi_hot(clips, "tags", ["car", "dog", "rain"]).as_numpy_iterator()]
        [[1.0, 0.0, 1.0]]
    """

    def convert(element: dict[str, tf.Tensor], known: Classes) -> tf.Tensor:
        positions = known.positions(element[column])
        required = [_require(element, known, positions != UNKNOWN, "Check the names of the classes.")]
        length = entries.own(element, f"{column}_length")
        if length in element:
            present = tf.reshape(element[length] != MISSING_LIST, [-1])
            advice = "Leave the clip out, or give it an empty list if it has no class."
            required.append(
                graph_errors.require(
                    tf.reduce_all(present),
                    lambda: [
                        graph_errors.clip_name(element, _first(~present)),
                        f" must have a list of classes in {column!r}. Received: a missing list. {advice}",
                    ],
                )
            )
            is_padding = ~tf.sequence_mask(element[length], tf.shape(positions)[-1])
            advice = "Leave it out of the list."
            required.append(_require(element, known, (positions != MISSING_CLASS) | is_padding, advice))
        with tf.control_dependencies(required):
            return tf.minimum(tf.reduce_sum(tf.one_hot(positions, len(known), dtype=tf.float32), -2), 1.0)

    return _converted(dataset, column, classes, convert, rank=1)


def class_names(dataset: tf.data.Dataset, column: str, classes: ClassesLike) -> tf.data.Dataset:
    """Replaces positions of classes by their names.

    Args:
        dataset: Dataset of dicts, as `audiopipe.load` returns it, or batches of them.
        column: Column with the position of a class, or a list of positions.
        classes: As in `one_hot`.

    Returns:
        The dataset with text of the same shape in the column. A missing class or padding, -1, becomes empty text. An
        unknown class raises `tf.errors.InvalidArgumentError` during iteration, with the id of the clip.

    Raises:
        ArgumentError: If there is no such column, or it has no positions or no classes.

    Example:
        >>> clips = tf.data.Dataset.from_tensors({"id": "a", "label": 1})
        >>> [clip["label"] for clip in class_names(clips, "label", ["cat", "dog"]).as_numpy_iterator()]
        [b'dog']
    """
    spec = entries.of_dataset(dataset).get(column)
    if getattr(spec, "dtype", None) == tf.string:
        raise ArgumentError(
            f"The column must have positions of classes. Received: {column!r} with text already. Leave class_names "
            "out, or name another column."
        )

    def convert(element: dict[str, tf.Tensor], known: Classes) -> tf.Tensor:
        positions = known.positions(element[column])
        with tf.control_dependencies([_require(element, known, positions != UNKNOWN, "Check the list of classes.")]):
            places = tf.where(positions == MISSING_CLASS, tf.constant(len(known), tf.int64), positions)
            return tf.gather(tf.constant([*known.encoded, b""]), places)

    return _converted(dataset, column, classes, convert, rank=None)


def _converted(
    dataset: tf.data.Dataset,
    column: str,
    classes: ClassesLike,
    convert: Callable[[dict[str, tf.Tensor], Classes], tf.Tensor],
    rank: int | None,
) -> tf.data.Dataset:
    """Returns a dataset with the values of a column replaced.

    Args:
        dataset: As in `one_hot`.
        column: Name of the column.
        classes: As in `one_hot`.
        convert: Function of an element and the classes that returns the new values.
        rank: Rank of the value of one clip. None means any.
    """
    spec = entries.of_dataset(dataset)
    entries.check_present(spec, column, "column")
    known = Classes.resolve(classes, column)
    known.check_type(spec[column])
    _check_rank(spec, column, rank)

    @tf.autograph.experimental.do_not_convert
    def update(element: dict[str, Any]) -> dict[str, Any]:
        value = element[column]
        if isinstance(value, tf.RaggedTensor):
            element = {**element, column: value.to_tensor("" if value.dtype == tf.string else MISSING_CLASS)}
        return {**element, column: convert(element, known)}

    return dataset.map(update, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _check_rank(spec: dict[str, Any], column: str, rank: int | None) -> None:
    if rank is None:
        return
    found = spec[column].shape.rank
    batch_ranks = (spec["id"].shape.rank,) if "id" in spec else (0, 1)
    if found in [rank + batch_rank for batch_rank in batch_ranks]:
        return
    expected, advice = ("lists", "one_hot") if rank else ("one value per clip", "multi_hot, which takes lists")
    raise ArgumentError(
        f"The column must have {expected}. Received: {column!r} with {spec[column]}. Use {advice}, or another column."
    )


def _require(element: dict[str, tf.Tensor], known: Classes, right: tf.Tensor, advice: str) -> tf.Operation:
    """Returns an operation that fails, naming the clip and the value, unless all values of a column are right."""

    def message() -> list[Any]:
        wrong = _first(tf.reshape(~right, [-1]))
        per_clip = tf.size(right, tf.int64) // (tf.size(element["id"], tf.int64) if "id" in element else 1)
        value = tf.gather(tf.reshape(element[known.column], [-1]), wrong)
        return [
            graph_errors.clip_name(element, wrong // per_clip),
            f" must have one of the classes of {known.column!r}. Received: ",
            shown(value),
            f". The classes are {known}. {advice}",
        ]

    return graph_errors.require(tf.reduce_all(right), message)


def _first(wrong: tf.Tensor) -> tf.Tensor:
    """Returns the position of the first true value of a vector."""
    return tf.argmax(tf.cast(wrong, tf.int8))
