"""Names of classes, and the positions of values of a column among them."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import file_names
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.inputs.columns import MISSING_CLASS
from audiopipe.storage import files

ClassesLike: TypeAlias = (
    "Sequence[str] | FeatureSet | str | os.PathLike[str] | Sequence[FeatureSet | str | os.PathLike[str]]"
)
UNKNOWN = -2
_SHOWN = 10  # names in an error message


@dataclass(frozen=True)
class Classes:
    """Names of the classes of a column.

    Args:
        column: Name of the column.
        names: Names of the classes. Integers of the column are positions in this list.
    """

    column: str
    names: tuple[str, ...]

    @classmethod
    def resolve(cls, classes: ClassesLike, column: str) -> "Classes":
        """Returns the classes of a column.

        Args:
            classes: Names of the classes, or feature sets, which have the classes of the column: a `FeatureSet` or a
                path, or a list with a `FeatureSet` or a `pathlib.Path`, whose other items are feature sets too.
            column: Name of the column.

        Raises:
            ArgumentError: If the column has no classes, the names are not different texts, or all of them are paths of
                feature sets.
        """
        if _are_sets(classes):
            classes = FeatureSet(classes)
        if isinstance(classes, FeatureSet):
            if column not in classes.classes:
                known = ", ".join(map(repr, sorted(classes.classes))) or "none"
                raise ArgumentError(
                    f"The column must have classes in the feature set {classes.path!r}. Received: {column!r}. Columns "
                    f"with classes: {known}. Pass a list of names, or compute the set with "
                    f"class_columns=[{column!r}]."
                )
            classes = classes.classes[column]
        names: tuple[Any, ...] = tuple(classes) if isinstance(classes, Sequence) else ()
        if not names or not all(isinstance(name, str) for name in names):
            raise ArgumentError(
                "classes must be a list of names with at least one name, a FeatureSet, or the path of one. Received: "
                f"classes={classes!r}."
            )
        if all(map(_is_path, names)):
            raise ArgumentError(
                "Texts in a list of classes are names of classes. Received: paths of feature sets, "
                f"classes={classes!r}. To use the classes of these sets, pass FeatureSet({list(names)!r}). If they are "
                "names of classes, run the program in another folder."
            )
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ArgumentError(f"The names of classes must differ. Received twice: {twice[0]!r}.")
        return cls(column, names)

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        shown = ", ".join(map(repr, self.names[:_SHOWN]))
        return shown if len(self) <= _SHOWN else f"{shown} and {len(self) - _SHOWN} more"

    @property
    def encoded(self) -> list[bytes]:
        """Names as tensors have them."""
        return [name.encode("utf-8", "surrogateescape") for name in self.names]

    def check_type(self, spec: Any) -> None:
        """Raises an error unless the column has positions or text.

        Args:
            spec: Type of the column.

        Raises:
            ArgumentError: If the values are neither integers nor text.
        """
        dtype = getattr(spec, "dtype", None)
        if dtype is None or not (dtype.is_integer or dtype == tf.string) or spec.shape.rank is None:
            raise ArgumentError(
                f"The column {self.column!r} must have positions of classes (integers) or names of classes (text). "
                f"Received: {spec}. Choose another column."
            )

    def positions(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the position of each value.

        Args:
            values: Positions or names, of any shape.

        Returns:
            int64 of the same shape. Missing classes (-1 or empty text) are -1, and all other values without a class are
            `UNKNOWN`.

        Example:
            >>> Classes("label", ("cat", "dog")).positions(tf.constant(["dog", "", "cow"])).numpy()
            array([ 1, -1, -2])
        """
        if values.dtype == tf.string:
            same = values[..., tf.newaxis] == tf.constant(self.encoded)
            missing = tf.where(values == "", tf.constant(MISSING_CLASS, tf.int64), UNKNOWN)
            return tf.where(tf.reduce_any(same, -1), tf.argmax(tf.cast(same, tf.int8), -1), missing)
        values = tf.cast(values, tf.int64)
        return tf.where((values >= MISSING_CLASS) & (values < len(self)), values, UNKNOWN)


def _are_sets(classes: Any) -> bool:
    """Returns whether classes are given by feature sets."""
    kinds = (FeatureSet, os.PathLike)
    return isinstance(classes, (str, *kinds)) or (
        isinstance(classes, (list, tuple)) and any(isinstance(item, kinds) for item in classes)
    )


def _is_path(name: str) -> bool:
    """Returns whether text is the path of a feature set. Remote storage is not asked."""
    return files.is_remote(name) or (bool(name) and os.path.isfile(os.path.join(name, file_names.DATASET_FILE)))


def shown(value: tf.Tensor) -> tf.Tensor:
    """Returns a scalar position or name as error messages show it."""
    if value.dtype == tf.string:
        return tf.strings.join(["'", value, "'"])
    return tf.strings.as_string(value)
