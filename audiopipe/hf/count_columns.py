"""Columns with the numbers of frames of features in `datasets`.

The first feature of a dataset has `n_frames` and, if clips are padded, `valid_frames`. Those of a further feature are
`<feature>_n_frames` and `<feature>_valid_frames`. The `id` of a column's type says which feature it counts, by which it
is told from metadata that happens to have its name, and found after a renaming. Only `n_frames` has no `id`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets

from audiopipe.configs.base import Config
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.fingerprints import Identity
from audiopipe.transform import row_columns
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES

# Starts of the `id`, before the fingerprint.
_FRAMES = "audiopipe frames"
_VALID_FRAMES = "audiopipe valid frames"  # alone in the data of earlier releases


def count_types(config: Config, beside: str | None = None) -> dict[str, Any]:
    """Returns the types of the columns with numbers of frames.

    Args:
        config: Config of the feature.
        beside: As in `count_columns`.
    """
    frames = datasets.Value("int64") if beside is None else _count_type(_FRAMES, config.fingerprint)
    types = [frames, valid_frames_type(config.fingerprint)]
    return dict(zip(row_columns.count_columns(config, beside), types, strict=False))


def valid_frames_type(fingerprint: str) -> Any:
    """Returns the type of a column with the numbers of valid frames of a feature."""
    return _count_type(_VALID_FRAMES, fingerprint)


def counted_beside(features: Mapping[str, Any], feature: str, config: Config) -> str | None:
    """Returns the name of a new feature column if columns already count the frames of another feature, else None.

    Args:
        features: The types of the columns that stay beside the new ones.
        feature: Name of the new feature column.
        config: Config of the new feature.
    """
    counts = {N_FRAMES} | ({VALID_FRAMES} if config.pads_clips else set())
    is_counted = any(getattr(features.get(name), "dtype", None) == "int64" for name in counts)
    return feature if is_counted and fingerprints.of_columns(features).keys() - {feature} else None


def counts_of_frames(features: Mapping[str, Any]) -> list[str]:
    """Returns the names of the columns whose types say that they count the frames of features."""
    return [name for name, kind in features.items() if _is_count(kind, _FRAMES) or _is_count(kind, _VALID_FRAMES)]


def with_fingerprint(kind: Any, old: str, new: str) -> Any:
    """Returns the type of a column. If it counts the frames of the feature `old`, the type now names the feature `new`.

    Args:
        kind: Any type of a column.
        old: Fingerprint of a feature.
        new: Fingerprint that takes its place.
    """
    for start in (_FRAMES, _VALID_FRAMES):
        if _is_count(kind, start, old):
            return _count_type(start, new)
    return kind


def valid_frames_column(features: Mapping[str, Any], identity: Identity) -> str | None:
    """Returns the name of the column with the numbers of valid frames of a feature, or None if there is none.

    Args:
        features: The types of a dataset's columns.
        identity: Identity of the feature. If its config pads clips, no metadata has the name of the column.
    """
    for name, kind in features.items():
        if _is_count(kind, _VALID_FRAMES, identity.fingerprint):
            return name
    if any(_is_count(kind, _FRAMES, identity.fingerprint) for kind in features.values()):
        return None  # the other columns count the frames of another feature
    for name, kind in features.items():
        if isinstance(kind, datasets.Value) and kind.id == _VALID_FRAMES:
            return name
    plain = features.get(VALID_FRAMES)
    is_plain = identity.config.pads_clips and isinstance(plain, datasets.Value) and plain.dtype == "int64"
    return VALID_FRAMES if is_plain and not _is_count(plain, _VALID_FRAMES) else None


def frames_column(features: Mapping[str, Any], identity: Identity) -> str | None:
    """Returns the name of the column with the numbers of frames of a further feature, or None if there is none."""
    return next((name for name, kind in features.items() if _is_count(kind, _FRAMES, identity.fingerprint)), None)


def with_plain_names(
    dataset: Any, feature: str, identity: Identity, columns: Sequence[str] | None
) -> tuple[Any, list[str] | None]:
    """Renames `<feature>_valid_frames` to `valid_frames`, which readers of batches expect.

    Args:
        dataset: A `datasets.Dataset` or `IterableDataset` with declared types.
        feature: Name of the feature column.
        identity: Identity of the feature.
        columns: Names of the columns that are used, or None. If `valid_frames` of another feature is one of them,
            nothing is renamed.

    Returns:
        The dataset, and the names of the columns after the renaming.
    """
    names = None if columns is None else list(columns)
    valid = valid_frames_column(dataset.features, identity)
    if valid != f"{feature}_{VALID_FRAMES}" or VALID_FRAMES in (names or ()):
        return dataset, names
    if VALID_FRAMES in dataset.features:
        dataset = dataset.remove_columns([VALID_FRAMES])
    renamed = None if names is None else [VALID_FRAMES if name == valid else name for name in names]
    return dataset.rename_column(valid, VALID_FRAMES), renamed


def _count_type(start: str, fingerprint: str) -> Any:
    return datasets.Value("int64", id=f"{start} of {fingerprint}")


def _is_count(kind: Any, start: str, fingerprint: str | None = None) -> bool:
    """Returns whether a column counts frames, by the start of its `id`, those of any feature or of one."""
    mark = str(kind.id) if isinstance(kind, datasets.Value) else ""
    return mark == f"{start} of {fingerprint}" if fingerprint else mark == start or mark.startswith(f"{start} of ")
