"""Identity of the feature that a model, a feature set, a dataset or a file was built for.

A composed layer that was made from a config carries the JSON of that config. A `FeatureStamp` carries that of the
feature that a model was trained on. A dataset of `datasets` carries it, with the kernel version, in the type of the
column, and the digests of its rows show whether the values still are that feature. `carrier_files` describes files.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from audiopipe import registry
from audiopipe.configs.base import Config
from audiopipe.errors import FingerprintError
from audiopipe.feature_sets import carrier_files, parted_sets
from audiopipe.feature_sets.described_sets import DescribedSets
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.feature_sets.identities import Identity, TrainedOn, current, stamped, trained_on
from audiopipe.feature_sets.single_identity import only
from audiopipe.identity import model_stamps
from audiopipe.storage import files

HDF5_SUFFIXES = (".h5", ".hdf5")


def fingerprint_of(source: Any) -> Identity:
    """Returns which feature a model takes, or a feature set or a dataset holds.

    A dataset or a Parquet file must have the digests of its rows, which `audiopipe.hf` makes. At most 32 rows are
    compared with them: evenly spaced ones of a dataset, the first ones of the row groups of a Parquet file, and the
    first row of a streaming dataset. `hf.to_feature_set` and `hf.to_tf_dataset` compare every row that they read.

    Args:
        source: A Keras model with a front end or a stamp, or a composed layer; an object that `tf.saved_model.load`
            returned; the local or remote path of a `.keras` file, SavedModel, feature set or Parquet file of features;
            an `audiopipe.FeatureSet`; or a `datasets.Dataset`, a `DatasetDict` or a streaming form of either that
            `audiopipe.hf` made.

    Returns:
        An `Identity`: the config, its fingerprint, and whether the computation is frozen.

    Raises:
        FingerprintError: If `source` carries no config or several different ones, or if the values of a dataset or a
            Parquet file were changed, or may have been because their digests are missing.
        ConfigMismatchError: If a model computes another feature than the one that it was trained on.

    Example:
        >>> from audiopipe import registry
        >>> identity = fingerprint_of(registry.get("speech-mel-80").layer())
        >>> identity.config.n_mels, identity.frozen
        (80, False)
        >>> identity.fingerprint == registry.get("speech-mel-80").fingerprint
        True
    """
    if isinstance(source, (Description, DescribedSets)):
        return Identity(config=source.config, kernel_version=source.kernel_version, frozen=True)
    if not isinstance(source, (str, os.PathLike)):
        return only(*_in_memory(source))
    if files.exists(files.join(os.fspath(source), DATASET_FILE)):
        return fingerprint_of(parted_sets.opened(source)[0])  # all parts have one fingerprint
    return only(*_in_file(os.fspath(source)))


def stamps_of(source: Any) -> list[TrainedOn]:
    """Returns what the stamps of a model say, without a check that they agree.

    Args:
        source: A model or the path of one, as `fingerprint_of` takes them.

    Raises:
        FingerprintError: If `source` is no model, or a stamp was edited.
    """
    in_file = isinstance(source, (str, os.PathLike))
    found, _ = _in_file(os.fspath(source)) if in_file else _in_memory(source)
    stamps = [identity for identity in found if isinstance(identity, TrainedOn)]
    return [stamp for place, stamp in enumerate(stamps) if stamp not in stamps[:place]]


def _in_file(path: str) -> tuple[Iterator[Identity], str]:
    """Returns the identities in a file or a folder, and what was searched."""
    if path.endswith(HDF5_SUFFIXES):
        raise FingerprintError(
            f"An HDF5 file cannot be inspected. Received: {path!r}. Load the model first, "
            "fingerprint_of(keras.saving.load_model(path)), or save it as a .keras file."
        )
    if carrier_files.is_saved_model(path):
        graphs = f"the constants named {model_stamps.NODE} and {model_stamps.TRAINED_ON_NODE} in the graphs of {path!r}"
        return carrier_files.in_saved_model(path), graphs
    if path.endswith(".keras") and files.exists(path):
        return carrier_files.in_keras_file(path), f"the layers in config.json and the assets of {path!r}"
    if path.endswith(".parquet") and files.exists(path):
        return carrier_files.in_parquet_file(path), f"the descriptions of the columns of {path!r}"
    raise FingerprintError(
        f"There is no .keras file, SavedModel ({carrier_files.SAVED_MODEL_FILE}), feature set ({DATASET_FILE}) or "
        f".parquet file at {path!r}. Pass the path of one, or the model itself."
    )


def of_columns(features: Mapping[str, Any]) -> dict[str, Identity]:
    """Returns the identities of the feature columns of a dataset.

    Args:
        features: Type of each column, as in `datasets.Dataset.features`.

    Returns:
        Identity of each float32 column whose type names a feature, by the name of the column. Types survive changes of
        the values, which `digest_checks` finds.
    """
    found = {name: stamped(_id(kind)) for name, kind in features.items()}
    return {name: identity for name, identity in found.items() if identity is not None}


def identity_of(source: Any) -> Identity:
    """Returns the identity of the feature that a config, or something that carries one, describes.

    Args:
        source: A config, a registered name or the path of a JSON file; a `Transform`; or anything that
            `fingerprint_of` takes. A registered name takes precedence over a path.

    Returns:
        The config and its kernel version: that of this release, or the one that was saved if `source` is frozen.

    Raises:
        AudiopipeError: If `source` is none of these or carries no config.

    Example:
        >>> identity_of("speech-mel-80").config.n_mels
        80
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        is_name = isinstance(source, str) and source.partition("@")[0] in registry.names()
        carries = not is_name and not path.endswith(".json") and _is_carrier(path)
    else:
        is_set = isinstance(source, DescribedSets)
        carries = is_set or _is_layer(source) or _is_dataset(source) or _is_loaded(source)
    if carries:
        return fingerprint_of(source)
    config = source.config if is_transform(source) else registry.resolve(source)
    return Identity(config=config, kernel_version=config.kernel_version, frozen=False)


def expected(source: Any) -> tuple[Config, int]:
    """Returns the config and the kernel version that a caller expects, of anything that `identity_of` takes."""
    identity = identity_of(source)
    return identity.config, identity.kernel_version


def is_transform(source: Any) -> bool:
    """Returns whether something is a `Transform`, without importing its module."""
    transform = sys.modules.get("audiopipe.transform.transform")
    return transform is not None and isinstance(source, transform.Transform)


def _is_carrier(path: str) -> bool:
    """Returns whether a path is that of something that carries a config, and not a name."""
    return "/" in path or path.endswith((".keras", ".parquet", *HDF5_SUFFIXES)) or files.exists(path)


def _is_layer(source: Any) -> bool:
    # No layer can exist before Keras is imported, so Keras is not imported here.
    return "keras" in sys.modules and isinstance(source, sys.modules["keras"].layers.Layer)


def _is_dataset(source: Any) -> bool:
    datasets = sys.modules.get("datasets")
    if datasets is None:
        return False
    streaming = (datasets.IterableDataset, datasets.IterableDatasetDict)
    return isinstance(source, (datasets.Dataset, datasets.DatasetDict, *streaming))


def _is_loaded(source: Any) -> bool:
    """Returns whether an object came from `tf.saved_model.load`, whose classes have no public names."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(source, tensorflow.__internal__.tracking.AutoTrackable)


def _in_memory(source: Any) -> tuple[Iterator[Identity], str]:
    if _is_layer(source):
        return _in_layers(source), f"the layers of {source!r}"
    if _is_dataset(source):
        return _in_dataset(source), f"the types of the columns {source.column_names}"
    if _is_loaded(source):
        return _in_loaded(source), f"the constants named {model_stamps.NODE} in the functions of {source!r}"
    raise FingerprintError(
        "fingerprint_of takes a Keras model or layer, an object from tf.saved_model.load, a FeatureSet, a "
        "datasets.Dataset or DatasetDict, or the path of a model, feature set or Parquet file. "
        f"Received: {source!r}."
    )


def _in_layers(model: Any) -> Iterator[Identity]:
    import keras

    from audiopipe.layers import ComposedLayer, FeatureStamp

    for layer in model._flatten_layers(include_self=True, recursive=True):
        if isinstance(layer, ComposedLayer) and layer.config_json is not None:
            yield current(layer.config_json)
        elif isinstance(layer, FeatureStamp):
            yield trained_on(layer.stamp)
        elif isinstance(layer, keras.layers.TFSMLayer):
            yield from _in_loaded(layer._reloaded_obj)


def _in_dataset(dataset: Any) -> Iterator[Identity]:
    if isinstance(dataset, dict):  # of splits
        for split, rows in dataset.items():
            yield only(_in_dataset(rows), f"the types of the columns {rows.column_names} of the split {split!r}")
        return
    columns = of_columns(dataset.features or {})
    if columns:
        from audiopipe.feature_sets import digest_checks

        for name in columns:
            digest_checks.check_dataset(dataset, name, columns)
    yield from columns.values()


def _in_loaded(loaded: Any) -> Iterator[Identity]:
    """Returns the identities in the functions of an object that `tf.saved_model.load` returned."""
    functions = list(getattr(loaded, "signatures", {}).values())
    for value in vars(loaded).values():
        functions += getattr(value, "concrete_functions", [])
    return carrier_files.in_graphs((function.graph.as_graph_def() for function in functions), repr(loaded))


def _id(kind: Any) -> str | None:
    """Returns the `id` of a float32 type of `datasets`. A nested list has the `id` of its innermost elements."""
    while hasattr(kind, "feature"):
        kind = kind.feature
    return getattr(kind, "id", None) if getattr(kind, "dtype", None) == "float32" else None
