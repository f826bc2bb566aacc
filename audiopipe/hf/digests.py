"""Digests for features whose values a user vouches for."""

from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import digest_checks, fingerprints, row_digests
from audiopipe.feature_sets.arrow_features import to_numpy
from audiopipe.hf.count_columns import with_fingerprint
from audiopipe.hf.types import digest_type, feature_column, feature_shape, feature_type

ROWS_AT_ONCE = 16


def with_digests(dataset: Any, config: Any = None, *, feature: str | None = None) -> Any:
    """Declares that a column holds a config's feature, and adds the digests of its rows.

    `map` and `from_feature_set` add the digests themselves. You need this function only in these cases:

    - an earlier release computed the data,
    - your own function called a transform,
    - the column with the digests was removed.

    Use it only if you know that the values are the feature of the config. audiopipe can only check the dtype and the
    shapes.

    Args:
        dataset: A `datasets.Dataset`, `IterableDataset`, or a dict of them. The rows of a `Dataset` are read once. The
            rows of a streaming dataset get their digests when they are read.
        config: The config of the feature, or anything that carries it, as for `audiopipe.load`. None means the config
            in the type of the column.
        feature: Name of the feature column. None means the only column whose type names a feature, or else `"feature"`.

    Returns:
        The dataset. The column has the type `feature_type(config)`, and `<feature>_digest` has its digests, null for
        rows without a feature. Existing digests are replaced.

    Raises:
        FingerprintError: If `config` is None and no column, or more than one, says which feature it holds, or if the
            rows of the dataset are what a function of `with_transform` returns.
        ArgumentError: If there is no such column, or its values are not float32 or have other numbers of bins or
            channels than the config. A streaming dataset raises the errors about values while it is read.

    Example:
        >>> from audiopipe import Transform, fingerprint_of, hf
        >>> rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac"]})
        >>> mel = Transform("speech-mel-80")
        >>> plain = rows.map(lambda batch: mel(batch), batched=True)  # without a type and digests
        >>> vouched = hf.with_digests(plain, "speech-mel-80")
        >>> vouched.column_names
        ['audio', 'feature', 'n_frames', 'feature_digest']
        >>> fingerprint_of(vouched) == fingerprint_of(rows.map(mel, batched=True))
        True
    """
    if isinstance(dataset, (datasets.DatasetDict, datasets.IterableDatasetDict)):
        return type(dataset)({split: with_digests(part, config, feature=feature) for split, part in dataset.items()})
    if not isinstance(dataset, (datasets.Dataset, datasets.IterableDataset)):
        raise ArgumentError(
            "dataset must be a datasets.Dataset, IterableDataset, DatasetDict or IterableDatasetDict. Received: "
            f"{type(dataset).__name__}."
        )
    features = dataset.features if dataset.features is not None else dataset._resolve_features().features
    name, found, version = _feature(features, config, feature)
    digests = _Digests(name, found, found.fingerprint_at(version))
    old = [digest for digest in features if digest == digests.column or features[digest] == digests.kind]
    types = datasets.Features({column: kind for column, kind in features.items() if column not in old})
    former = fingerprints.of_columns(features).get(name)
    if former is not None:
        for column, kind in types.items():
            types[column] = with_fingerprint(kind, former.fingerprint, found.fingerprint_at(version))
    types[name] = feature_type(found, version)
    if isinstance(dataset, datasets.IterableDataset):
        types[digests.column] = digests.kind
        streamed = dataset.remove_columns([column for column in old if column != digests.column])
        return streamed.map(
            digests, with_indices=True, batched=True, batch_size=ROWS_AT_ONCE, input_columns=[name], features=types
        )
    digest_checks.check_stored(dataset)
    stored = dataset.with_format(None).remove_columns(old)
    texts = digests.of_dataset(stored)
    made = stored if stored.features == types else stored.cast(types)
    made = made.add_column(digests.column, texts, feature=digests.kind)
    return made.with_format(dataset.format["type"], **dataset.format["format_kwargs"])


def _feature(features: datasets.Features, config: Any, feature: str | None) -> tuple[str, Config, int]:
    """Returns the name of the feature column, and the config and the kernel version of the feature."""
    if feature is not None and feature not in features:
        raise ArgumentError(f"feature must be a column: {', '.join(features)}. Received: feature={feature!r}.")
    typed = fingerprints.of_columns(features)
    if config is None:
        name, identity = feature_column(features if feature is None else {feature: features[feature]})
        return name, identity.config, identity.kernel_version
    if feature is None:
        feature = next(iter(typed)) if len(typed) == 1 else "feature"
        if feature not in features or len(typed) > 1:
            raise ArgumentError(
                f"Several or no columns can hold the feature. Received: the columns {', '.join(features)}. Name it: "
                "feature=..."
            )
    return feature, *fingerprints.expected(config)


class _Digests:
    """Callable for the map of a streaming dataset over the feature column, which adds the digests.

    Attributes:
        column: Name of the column with the digests.
        kind: Type of that column.

    Args:
        feature: Name of the feature column.
        config: Config of the feature.
        fingerprint: Fingerprint of the feature.
    """

    def __init__(self, feature: str, config: Config, fingerprint: str):
        self.column = row_digests.name_of(feature)
        self.kind = digest_type(fingerprint)
        self._feature = feature
        self._shape = feature_shape(config)
        self._fingerprint = fingerprint

    def __call__(self, values: Sequence[Any], numbers: Sequence[int]) -> dict[str, list[str | None]]:
        arrays = map(digest_checks.read_array, values)
        return {self.column: [self._digest(*row) for row in zip(numbers, arrays, strict=True)]}

    def of_dataset(self, dataset: datasets.Dataset) -> list[str | None]:
        """Returns the digests of all rows."""
        rows = dataset.with_format("arrow", columns=[self._feature])
        digests: list[str | None] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            arrays = to_numpy(rows[start : start + ROWS_AT_ONCE][self._feature])
            digests.extend(self._digest(start + place, array) for place, array in enumerate(arrays))
        return digests

    def _digest(self, row: int, feature: np.ndarray | None) -> str | None:
        if feature is None or not feature.size:
            return None
        fits = len(feature.shape) == len(self._shape) and all(
            expected in (None, size) for size, expected in zip(feature.shape, self._shape, strict=True)
        )
        if not fits:
            shape = ["any" if size is None else size for size in self._shape]
            raise ArgumentError(
                f"The features must have the shape [{', '.join(map(str, shape))}], as the config says. Received: row "
                f"{row} of the column {self._feature!r} with the shape {list(feature.shape)}. Pass the config that the "
                "values were computed with."
            )
        return row_digests.digest(feature, self._fingerprint)
