"""Checks of the entries of datasets of dicts, as `load` returns them."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import fingerprints
from audiopipe.transform.transform import Transform


def of_dataset(dataset: tf.data.Dataset) -> dict[str, Any]:
    """Returns the type of each entry of the elements of a dataset.

    Raises:
        ArgumentError: If the elements are not dicts.
    """
    spec = getattr(dataset, "element_spec", None)
    if not isinstance(spec, Mapping):
        raise ArgumentError(
            "dataset must be a tf.data.Dataset of dicts, as audiopipe.load and from_audio(...).map(transform) return "
            f"it. Received: {type(dataset).__name__}{'' if spec is None else f' of {spec}'}. Call this function before "
            "you map the elements to tuples."
        )
    return dict(spec)


def check_present(spec: Mapping[str, Any], name: str, argument: str) -> None:
    """Raises an error unless there is an entry.

    Args:
        spec: Type of each entry.
        name: Name of the entry.
        argument: Name of the argument that names it, for the error message.

    Raises:
        ArgumentError: If there is no such entry. The message lists those that there are.
    """
    if not isinstance(name, str) or name not in spec:
        raise ArgumentError(
            f"{argument} must be an entry of the dataset: one of {', '.join(map(repr, spec))}. Received: "
            f"{argument}={name!r}. If the metadata has it, add it to load(..., columns=[...])."
        )


def check_has(spec: Mapping[str, Any], name: str) -> None:
    """Raises an error unless the elements have an entry that each clip has.

    Args:
        spec: Type of each entry.
        name: Name of the entry.

    Raises:
        ArgumentError: If there is no such entry. The message lists those that there are.
    """
    if name not in spec:
        raise ArgumentError(
            f"The elements of dataset must have an entry {name!r}, as audiopipe.load and "
            "from_audio(...).map(transform) return them. Received: the entries "
            f"{', '.join(sorted(map(str, spec)))}. Keep this entry. If the feature has another name, pass the "
            "transform as config: Transform(config, feature=name)."
        )


def check_number(spec: Mapping[str, Any], name: str) -> None:
    """Raises an error unless an entry is a number of frames.

    Args:
        spec: Type of each entry.
        name: Name of the entry. It may be absent.

    Raises:
        ArgumentError: If the entry is not an integer.
    """
    found = spec.get(name)
    if found is not None and (found.shape.rank != 0 or not found.dtype.is_integer):
        raise ArgumentError(
            f"The entry {name!r} must be a number of frames, an integer. Received: {found!r}. If it is a column of "
            "metadata, rename the column, or leave it out: load(..., columns=[...])."
        )


def config_and_feature(config: Any) -> tuple[Config, str]:
    """Returns the config of anything that names one, as for `load`, and the name of the entry with the feature."""
    if isinstance(config, Transform):
        return config.config, config.feature
    return fingerprints.expected(config)[0], "feature"


def own(entries: Mapping[str, Any], name: str) -> str:
    """Returns the name of an entry that audiopipe adds: `name`, with underscores if a metadata column has that name.

    Example:
        >>> own({"tags": 0, "tags_length": 0}, "tags_length")
        'tags_length'
        >>> own({"tags": 0, "tags_length": 0, "tags_length_": 0}, "tags_length")
        'tags_length_'
    """
    while f"{name}_" in entries:
        name += "_"
    return name
