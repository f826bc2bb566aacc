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

    Iterators can be saved with `tf.train.Checkpoint` at any element. An iterator that is restored in another process
    returns exactly the remaining elements, in the same order. To save a training over several epochs, save one iterator
    over `load(...).repeat()`, with `repeat()` before batching: later epochs then have the same orders too. A checkpoint
    takes a few kilobytes if only some clips are read or their order is random. Otherwise it contains the elements that
    were read ahead, a few megabytes.

    `tf.distribute` gives each worker a part of the elements, so that no element is read twice (auto-shard policy
    `DATA`). If any clips come from `FeatureSet.shard`, it gives each worker all elements (`OFF`). Several workers that
    shuffle need the same `seed`.

    Args:
        sets: Folder of a feature set, local or remote; an `audiopipe.FeatureSet` or a view of one; or a list of these.
            A `FeatureSet` is read in the generation that it was opened in. A view gives only its own records, in its
            order. A list is joined as `FeatureSet` joins it. If ids are equal, join the sets with
            `FeatureSet(..., prefix=...)`.
        config: Expected config: a config, a registered name, the path of a JSON file, a `Transform`, or anything that
            carries a config, see `audiopipe.fingerprint_of`: a Keras model with a front end or a stamp, the path of its
            `.keras` file or SavedModel, another feature set, or a mapped dataset. Features of any other config raise an
            error, with one exception: features of `config.without_normalization` are normalized on reading, as
            `FeatureSet.normalized` does, so that they are those of the config. None accepts every config. The feature
            gets the name that a `Transform` gives it.
        columns: Names of the metadata columns to return. Others are not parsed. None returns all, an empty list none.
        crop_frames: Number of frames to read of each clip, from a random place that is new in every iteration. All
            places among the valid frames are equally probable. Other frames are not read from storage. Shorter clips
            are padded at the end with `config.padding`. The checksum of a record covers all its bytes, so it is not
            checked for crops. None reads whole features.
        shuffle: Whether to shuffle. The order is a random permutation of all clips, a new one in every iteration. It
            takes no memory. By default, the records have the order of the input, or that of the view.
        seed: Seed of the order and the crops, any integer. It gives the same epochs in every run, whatever the seed of
            TensorFlow. Without one, `keras.utils.set_random_seed` decides.
        weights: A number of at least 0 for each item of the list `sets`. Elements are drawn from the items with
            probabilities proportional to these numbers. An epoch has as many draws as the items have clips. The clips
            of an item come in a random order, and no clip is drawn again before all other clips of its item were.
            Implies shuffling.
        balance: Name of a metadata column. All its values are drawn with equal probabilities, as with `weights` and one
            set per value.
        check: Whether to verify the checksum of every file before reading.

    Returns:
        A dataset of dicts: `id` (string), `feature` (float32 `[frames, bins, channels]`, or `[channels, frames, bins]`
        for `channels_first`), `n_frames` (int64) and the metadata (string, int64, float64 or bool). If the feature or
        its segments pad clips, `valid_frames` (int64) is the number of frames that hold audio, as in `FeatureSet`.
        Missing text is empty, a missing floating-point number is NaN, a missing integer is the value in
        `FeatureSet.fill_values`, a missing class is -1. A missing boolean, which only merged feature sets have, is an
        error. `FeatureSet.classes` has the names of classes. A list is a tensor of rank 1, and an entry beside it,
        `<column>_length` (int64), has its length. A missing list is empty and has the length -1. If several sets are
        joined, the columns are those of all sets, and what a set lacks is missing. With `crop_frames`, the feature has
        this many frames, `n_frames` is the number of those that are no padding, `start_frame` (int64) is the place of
        the first one in the clip, and `clip_frames` (int64) is the number of frames of the whole clip that hold audio.
        If a metadata column has the name of one of these two entries, the entry gets an underscore.

    Raises:
        ArgumentError: If `sets` is neither of these; `columns` has a name that no column has; `crop_frames` is not an
            integer of at least 1; there are not as many weights as items, a weight is negative, or an item without
            clips has a weight; `balance` is not a column with one value for every clip; both `weights` and `balance`
            are given; or the feature would have the name of another entry. The message names what there is.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        ConfigMismatchError: If the features have another config than the expected one, or sets that are joined have
            different fingerprints. The message lists the differences.
        FeatureSetError: If sets that are joined have different dtypes, types of a column, or equal ids, or lack a
            boolean column of another set.
        FingerprintError: If a model does not carry the config that it was built for.
        CorruptFeatureSetError: If a shard or the index is missing or has the wrong size or, with `check`, if a file has
            the wrong checksum.
        tf.errors.InvalidArgumentError: While reading, if a record is damaged or missing, or belongs to another config,
            feature set or shard, or has another storage dtype. The message names the shard.

    Warns:
        MachineWarning: Once per feature set, if this machine computes other bits, with the largest difference. It is
            measured with a probe, which is computed only if versions, settings or the CPU differ from those of the
            machine that computed the features. A set without a probe, of an older release, gets the warning if the
            versions of TensorFlow, libsndfile or soxr, settings of oneDNN or soxr, the CPU family or the instruction
            sets differ.

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
