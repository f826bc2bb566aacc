"""`load`: a feature set as a `tf.data.Dataset`."""

import os
import re
import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError, AudioError, MachineWarning
from audiopipe.feature_sets import (
    element_streams,
    fingerprints,
    machine_checks,
    mixtures,
    parted_sets,
    valid_frames,
)
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.element_streams import Reading
from audiopipe.feature_sets.feature_set import (
    FeatureSet,
    Source,
    as_expected,
    items_of,
    of_description,
    of_descriptions,
)
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files

_warned: set[str] = set()  # feature sets whose machines this process has already warned about


def load(
    sets: Source,
    config: Any = None,
    *,
    columns: Sequence[str] | None = None,
    crop_frames: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    weights: Sequence[float] | None = None,
    balance: str | None = None,
    check: bool = False,
) -> tf.data.Dataset:
    """Loads feature sets or views of them as a `tf.data.Dataset`.

    The features are float32, whatever their storage dtype is. The number of elements is known.

    **Checkpoints.** `tf.train.Checkpoint` can save an iterator at any element. An iterator that is restored in another
    process returns exactly the remaining elements, in the same order. For several epochs, save one iterator over
    `load(...).repeat()`, and call `repeat()` before batching. Later epochs then have the same orders too. A checkpoint
    takes a few kilobytes if only some clips are read or their order is random. Otherwise, it contains the elements that
    were read ahead, a few megabytes.

    **Several workers.** `tf.distribute` gives each worker a part of the elements, so that no element is read twice
    (auto-shard policy `DATA`). If any clips come from `FeatureSet.shard`, each worker gets all elements of its dataset
    (`OFF`). Workers that shuffle need the same `seed`.

    Args:
        sets: Folder of a feature set, local or remote; an `audiopipe.FeatureSet` or a view of one; or a list of these.
            A view gives only its own records, in its order. A list is joined as in `FeatureSet`. If ids are equal, join
            the sets with `FeatureSet(..., prefix=...)`. A `FeatureSet` is read in the generation that it was opened in.
        config: Expected config: a config, a registered name, the path of a JSON file, a `Transform`, or anything that
            carries a config, see `audiopipe.fingerprint_of`: a Keras model with a front end or a stamp, the path of its
            `.keras` file or SavedModel, another feature set, or a mapped dataset. Features of any other config raise an
            error. There is one exception: if the expected config is normalized, stored features without normalization
            are normalized on reading, as in `FeatureSet.normalized`. None accepts every config. If `config` is a
            `Transform`, its `feature` is the name of the entry.
        columns: Names of the metadata columns to return. Other columns are not parsed. None returns all columns, and an
            empty list no columns.
        crop_frames: Number of frames to read of each clip, at a new random place in every iteration. All places within
            the valid frames are equally probable. Only these frames are read from storage, so the checksum of the
            record is not verified. Shorter clips are padded at the end with `config.padding`. None reads whole
            features.
        shuffle: Whether to shuffle. Every iteration has a new random permutation of all clips, which takes no memory.
            By default, the records have the order of the input or of the view.
        seed: Seed of the order and the crops, any integer. It gives the same epochs in every run, whatever the seed of
            TensorFlow. None uses the seed of `keras.utils.set_random_seed`.
        weights: A number of at least 0 for each item of the list `sets`. Elements are drawn from the items with
            probabilities proportional to these numbers. An epoch has as many draws as the items have clips. The clips
            of an item come in a random order. A clip is repeated only after all other clips of its item. Implies
            shuffling.
        balance: Name of a metadata column. All its values are drawn with equal probabilities, as with `weights` and one
            item per value.
        check: Whether to verify the checksum of every file before reading.

    Returns:
        A dataset of dicts with these entries.

        - `id` (string).
        - `feature` (float32): `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`.
        - `n_frames` (int64): the number of frames.
        - `valid_frames` (int64): the number of frames that hold audio. It is there if the feature or its segments pad
          clips.
        - The metadata columns (string, int64, float64 or bool). Classes are positions in `FeatureSet.classes`. A list
          is a tensor of rank 1, with its length in an entry `<column>_length` (int64).

        Missing metadata have these values.

        - Text is empty, and a floating-point number is NaN.
        - An integer is the value in `FeatureSet.fill_values`, and a class is -1.
        - A list is empty and has the length -1.
        - A boolean is an error. It can be missing only in merged feature sets.
        - If several sets are joined, a column that one set lacks is missing in its clips.

        With `crop_frames`, some entries differ.

        - `feature` has `crop_frames` frames, and `n_frames` is the number of these that are not padding.
        - `start_frame` (int64) is the place of the first frame in the clip.
        - `clip_frames` (int64) is the number of frames of the whole clip that hold audio.
        - If a metadata column has one of the last two names, the entry gets an underscore.

    Raises:
        ArgumentError: If an argument is wrong: `sets` has another type, a column does not exist, `crop_frames` is not
            an integer of at least 1, the number of weights is wrong, a weight is negative or belongs to an item without
            clips, `balance` is not a column with one value for every clip, both `weights` and `balance` are given, or
            the feature has the name of another entry.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than the expected one, or sets that are joined have
            different fingerprints. The message lists the differences.
        FeatureSetError: If joined sets have different dtypes, different types of a column, or equal ids, or if one
            lacks a boolean column of another.
        FingerprintError: If a model does not carry the config that it was built for.
        CorruptFeatureSetError: If a shard or the index is missing or has the wrong size or, with `check`, if a file has
            the wrong checksum.
        tf.errors.InvalidArgumentError: While reading, if a record is damaged or missing, or belongs to another config,
            feature set or shard, or has another storage dtype. The message names the shard.

    Warns:
        MachineWarning: Once per feature set, if this machine computes other bits, with the largest difference. The
            difference is measured with a probe, if versions, settings or the CPU differ from the machine that computed
            the features. Sets of older releases have no probe. For them, the warning appears if the versions of
            TensorFlow, libsndfile or soxr, settings of oneDNN or soxr, the CPU family or the instruction sets differ.

    Example:
        >>> from audiopipe import FeatureSet
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> dataset = load(sets.where(clean=True))
        >>> [(element["id"], element["feature"].shape) for element in dataset.as_numpy_iterator()]
        [(b'mono', (38, 20, 1)), (b'resampled', (28, 20, 1))]
        >>> crops = load(sets, columns=["speaker"], crop_frames=10, shuffle=True, seed=0)
        >>> {name: spec.shape for name, spec in crops.element_spec.items()}["feature"]
        TensorShape([10, 20, 1])
        >>> sorted(crops.element_spec)
        ['clip_frames', 'feature', 'id', 'n_frames', 'speaker', 'start_frame']
    """
    if weights is not None and balance is not None:
        raise ArgumentError(
            f"weights and balance exclude one another. Received: weights={weights!r}, balance={balance!r}. Use one."
        )
    shuffle = checks.boolean("shuffle", shuffle)
    if seed is not None:
        seed = checks.integer("seed", seed)
    if crop_frames is not None:
        crop_frames = checks.integer("crop_frames", crop_frames, minimum=1)
    listed = items_of("sets", sets)
    items: list[FeatureSet] = []
    if weights is not None:
        items = [item if isinstance(item, FeatureSet) else FeatureSet(item) for item in listed]
        sets = mixtures.joined(items)
    feature_set = opened(sets, config, check=check)
    mixture = None
    if weights is not None or balance is not None:
        feature_set = of_description(feature_set) if isinstance(feature_set, Description) else feature_set
        mixture = (
            mixtures.balanced(feature_set, balance)
            if weights is None
            else mixtures.weighted(feature_set, items, weights)
        )
    feature = config.feature if fingerprints.is_transform(config) else "feature"
    reading = Reading(
        columns=_selected(feature_set, columns),
        feature=_checked_name(feature_set, feature),
        crop_frames=crop_frames,
        shuffle=shuffle,
        seed=seed,
        mixture=mixture,
    )
    return element_streams.elements(feature_set, reading)


def opened(source: Source, config: Any = None, *, check: bool = False) -> Description | FeatureSet:
    """Opens a feature set and runs the checks that `load` makes before reading.

    The arguments and errors are those of `load`.

    Returns:
        The description of the set if `source` is a path, so that its index is not read. A view that normalizes the
        features if the config is normalized and the features are not.
    """
    if isinstance(source, (list, tuple)) and len(source) == 1:
        [source] = source
    feature_set: Description | FeatureSet
    if isinstance(source, (str, os.PathLike)):
        found = parted_sets.opened(source)
        feature_set = of_descriptions(found) if found[0].whole else found[0]
    else:
        feature_set = source if isinstance(source, FeatureSet) else FeatureSet(source)
    if config is not None:
        feature_set = as_expected(feature_set, *fingerprints.expected(config))
    for description in descriptions_of(feature_set):
        description.check_files(checksums=check)
        _warn_of_machines(description)
    return feature_set


def cause(error: tf.errors.OpError | AudioError) -> str:
    """Returns the message of an exception without the graph location or traceback that TensorFlow adds to it."""
    line = str(getattr(error, "message", error)).splitlines()[0]
    found = re.search(r"assertion failed: \[(.*)\]|\b\w*Error: (.*)", line)
    return found[1] or found[2] if found else line


def descriptions_of(feature_set: Description | FeatureSet) -> tuple[Description, ...]:
    """Returns the description of each set that was opened."""
    return (feature_set,) if isinstance(feature_set, Description) else feature_set.descriptions


def columns_of(feature_set: Description | FeatureSet) -> Columns:
    """Returns the metadata columns of the dataset that `elements` returns, with its fill values."""
    return feature_set.columns if isinstance(feature_set, Description) else feature_set.tensor_columns


def _selected(feature_set: Description | FeatureSet, columns: Any) -> list[str] | None:
    """Returns the metadata columns that a caller names."""
    if columns is None:
        return None
    known = list(feature_set.columns.types)
    if not isinstance(columns, Sequence) or isinstance(columns, str):
        raise checks.fail("columns", "a list of names of metadata columns", columns)
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise ArgumentError(
            f"columns must be names of metadata columns, of {known}. Received: {', '.join(map(repr, unknown))}. The "
            "id, the feature and its number of frames are always there."
        )
    return list(columns)


def _checked_name(feature_set: Description | FeatureSet, feature: str) -> str:
    """Returns the name of the entry of the feature."""
    valid = valid_frames.entry(descriptions_of(feature_set), feature_set.columns)
    others = ["id", "n_frames", *([valid] if valid else []), *feature_set.columns.entries]
    if feature in others:
        raise ArgumentError(
            f"The feature must not have the name of another entry: {', '.join(others)}. Received: a Transform with "
            f"feature={feature!r}. Pass its config instead: config=transform.config."
        )
    return feature


def _warn_of_machines(feature_set: Description) -> None:
    path = files.absolute(feature_set.whole or feature_set.path)
    if path in _warned:
        return
    different = machine_checks.differences(feature_set.machines, feature_set.config, feature_set.kernel_version)
    if different:
        _warned.add(path)
        message = f"The feature set {path!r} was computed in another environment. {different}"
        warnings.warn(message, MachineWarning, stacklevel=4)
