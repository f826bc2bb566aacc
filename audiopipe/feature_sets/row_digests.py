"""Digests of features in tables, by which a reader finds out whether values were changed.

A type or a description of a column says which feature the column holds. It survives every operation of `datasets`, also
those that change the values. Therefore each row has a digest of its feature in a column of text beside it. A digest is
xxh3-64, which finds changes that somebody made without thinking of the fingerprint. It does not stop a forger.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xxhash

from audiopipe.errors import FingerprintError
from audiopipe.feature_sets.identities import Identity

SUFFIX = "_digest"  # of the column's name, after that of the feature column
_MARK = "audiopipe digest of "  # start of the `id` of the column's type, before the fingerprint
_TEXT = ("string", "large_string", "string_view")


def digest(feature: np.ndarray, fingerprint: str) -> str:
    """Returns the digest of one row's feature.

    Args:
        feature: float32 array as the row holds it, without the axis of a single channel.
        fingerprint: Fingerprint of the feature. Equal values of another feature have another digest.

    Returns:
        16 hexadecimal characters: xxh3-64 of the text `"<fingerprint> <shape>"` and the bytes of the values, little
        endian, in the order of the axes.

    Example:
        >>> digest(np.zeros((2, 3), "float32"), "1f3a9c"), digest(np.zeros((3, 2), "float32"), "1f3a9c")
        ('68871938ac22f71d', 'ed6920c41e8e5f96')
    """
    content = xxhash.xxh3_64(f"{fingerprint} {list(feature.shape)}".encode())
    content.update(np.ascontiguousarray(feature, "<f4").data)
    return content.hexdigest()


def name_of(feature: str) -> str:
    """Returns the name of the column with the digests of a feature column."""
    return feature + SUFFIX


def mark(fingerprint: str) -> str:
    """Returns the `id` of the type of a column with digests, by which it is found after a column was renamed."""
    return _MARK + fingerprint


def is_mark(text: Any) -> bool:
    """Returns whether the `id` of a type says that the column holds digests."""
    return isinstance(text, str) and text.startswith(_MARK)


def text_ids(features: Mapping[str, Any]) -> dict[str, str | None]:
    """Returns the `id` of the type of each column of text.

    Args:
        features: Type of each column, as in `datasets.Dataset.features`.
    """
    return {name: kind.id for name, kind in features.items() if getattr(kind, "dtype", None) in _TEXT}


def column_of(feature: str, columns: Mapping[str, str], ids: Mapping[str, str | None]) -> str | None:
    """Returns the name of the column with the digests of a feature column, or None if there is none.

    Args:
        feature: Name of the feature column.
        columns: Fingerprint of each feature column, by the name of the column.
        ids: The `id` of the type of each column of text, by the name of the column.

    Example:
        >>> column_of("feature", {"feature": "1f3a9c"}, {"feature_digest": mark("1f3a9c"), "label": None})
        'feature_digest'
        >>> column_of("mel", {"mel": "1f3a9c"}, {"feature_digest": mark("1f3a9c")})  # after a renaming
        'feature_digest'
    """
    named, wanted = name_of(feature), mark(columns[feature])
    if ids.get(named) == wanted:
        return named
    others = {
        name_of(other) for other, fingerprint in columns.items() if other != feature and mark(fingerprint) == wanted
    }
    marked = [name for name, text in ids.items() if text == wanted and name not in others]
    if len(marked) == 1:
        return marked[0]
    return named if named in ids else None


class RowDigests:
    """Comparison of the features of rows with their digests.

    Args:
        feature: Name of the feature column.
        column: Name of the column with the digests. None means that there is none.
        identity: Identity of the feature that the column's type names.

    Raises:
        FingerprintError: If there is no column with digests.
    """

    def __init__(self, feature: str, column: str | None, identity: Identity):
        self._feature = feature
        self._fingerprint = identity.fingerprint
        if column is None:
            raise FingerprintError(
                f"A feature must come with the digests of its rows. Received: the column {feature!r}, whose type names "
                f"a feature of {type(identity.config).__name__} ({self._fingerprint}), without a column "
                f"{name_of(feature)!r}, so its values may have been changed. {self._advice}"
            )
        self.column = column

    def check(self, row: int, feature: np.ndarray | None, stored: str | None) -> None:
        """Raises an error unless a row has the feature of its digest. A row without a feature or frames passes.

        Args:
            row: Number of the row, for the message.
            feature: Feature as the row holds it.
            stored: Digest of the row.

        Raises:
            FingerprintError: If the digest is missing or differs.
        """
        if feature is None or not feature.size:
            return
        if stored is None:
            raise self.missing(row)
        found = digest(feature, self._fingerprint)
        if found != stored:
            raise FingerprintError(
                f"The values of the column {self._feature!r} must be those of the feature that its type names. "
                f"Received: row {row} of shape {list(feature.shape)} with the digest {found}, for which the column "
                f"{self.column!r} has {stored}, so they were changed. Write changed values to a column of another "
                "name, which claims nothing, or make the change part of the config, as config.normalized(statistics) "
                f"does. audiopipe.hf.to_tf_dataset(..., check=False) batches changed values. {self._vouch}"
            )

    def missing(self, row: int) -> FingerprintError:
        """Returns the error about a row that has a feature and no digest."""
        return FingerprintError(
            f"Each row with a feature must have its digest. Received: row {row} of the column {self._feature!r} "
            f"without one in the column {self.column!r}, so its values may have been changed. {self._advice}"
        )

    @property
    def _advice(self) -> str:
        return (
            f"Keep the column {name_of(self._feature)!r} that audiopipe.hf makes. Data of earlier releases and maps of "
            f"your own do not have it. {self._vouch}"
        )

    @property
    def _vouch(self) -> str:
        return (
            "If you know that the values are those of the config, vouch for them: audiopipe.hf.with_digests(dataset, "
            f"feature={self._feature!r})."
        )
