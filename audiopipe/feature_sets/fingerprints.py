"""Identity of the feature that a model, a feature set or a dataset was built for.

A composed layer that was made from a config carries the JSON of that config:

- A `.keras` file contains it in the config of the layer and in a separate file.
- A SavedModel contains it, with the kernel version, in a constant of the graph.
- A dataset of `datasets` contains it, with the kernel version, in the type of the column.
"""

import json
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiopipe import configs, registry
from audiopipe.configs.base import Config
from audiopipe.errors import ConfigError, FingerprintError
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.identity import model_stamps
from audiopipe.storage import files

SAVED_MODEL_FILE = "saved_model.pb"

HDF5_SUFFIXES = (".h5", ".hdf5")

_CONSTANT = re.compile(rf"(.*/)?{model_stamps.NODE}(_\d+)?")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Identity of the feature that something was built for.

    Args:
        config: Config of the feature.
        kernel_version: Kernel version of the feature.
        frozen: Whether the computation was saved, as in a SavedModel, or its results were, as in a feature set. If
            False, the installed version of audiopipe computes the feature.
    """

    config: Config
    kernel_version: int
    frozen: bool

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the feature: 64 hexadecimal characters."""
        return self.config.fingerprint_at(self.kernel_version)


def fingerprint_of(source: Any) -> Identity:
    """Returns the identity of the feature that something was built for.

    Args:
        source: A Keras model or composed layer in memory; an object that `tf.saved_model.load` returned; the local or
            remote path of a `.keras` file, SavedModel or feature set; or a `datasets.Dataset`, a `DatasetDict` or a
            streaming form of either that `audiopipe.hf` made.

    Returns:
        The config, its fingerprint, and whether the numerics are frozen.

    Raises:
        FingerprintError: If `source` carries no config or several different ones.

    Example:
        >>> from audiopipe import registry
        >>> identity = fingerprint_of(registry.get("speech-mel-80").layer())
        >>> identity.config.n_mels, identity.frozen
        (80, False)
        >>> identity.fingerprint == registry.get("speech-mel-80").fingerprint
        True
    """
    if not isinstance(source, (str, os.PathLike)):
        return _only(*_in_memory(source))
    path = os.fspath(source)
    if path.endswith(HDF5_SUFFIXES):
        raise FingerprintError(
            f"An HDF5 file cannot be inspected. Received: {path!r}. Load the model first, "
            "fingerprint_of(keras.saving.load_model(path)), or save it as a .keras file."
        )
    if files.exists(files.join(path, DATASET_FILE)):
        feature_set = Description.open(path)
        return Identity(config=feature_set.config, kernel_version=feature_set.kernel_version, frozen=True)
    if _is_saved_model(path):
        return _only(_in_saved_model(path), f"the constants named {model_stamps.NODE} in the graphs of {path!r}")
    if files.exists(path) and path.endswith(".keras"):
        return _only(_in_keras_file(path), f"the layers in config.json and the assets of {path!r}")
    raise FingerprintError(
        f"There is no .keras file, SavedModel ({SAVED_MODEL_FILE}) or feature set ({DATASET_FILE}) at {path!r}. Pass "
        "the path of one, or the model itself."
    )


def of_columns(features: Mapping[str, Any]) -> dict[str, Identity]:
    """Returns the identities of the feature columns of a dataset.

    Args:
        features: Type of each column, as in `datasets.Dataset.features`.

    Returns:
        Identity of each column that `audiopipe.hf` made, by the name of the column.
    """
    found = {name: _stamped(_id(kind)) for name, kind in features.items()}
    return {name: identity for name, identity in found.items() if identity is not None}


def expected(source: Any) -> tuple[Config, int]:
    """Returns the config and the kernel version that a caller expects.

    Args:
        source: A config, a registered name or the path of a JSON file; or anything that `fingerprint_of` takes.

    Returns:
        The config, and its kernel version in this release. If the numerics of `source` are frozen, the kernel version
        that they were saved with.

    Raises:
        AudiopipeError: If `source` is none of these or carries no config.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        is_name = isinstance(source, str) and source.partition("@")[0] in registry.names()
        carries = not is_name and not path.endswith(".json") and _is_carrier(path)
    else:
        carries = _is_layer(source) or _is_dataset(source) or _is_loaded(source)
    if carries:
        identity = fingerprint_of(source)
        return identity.config, identity.kernel_version
    config = registry.resolve(source)
    return config, config.kernel_version


def _is_carrier(path: str) -> bool:
    """Returns whether a path is that of a model or a feature set."""
    is_file = path.endswith((".keras", *HDF5_SUFFIXES))
    return is_file or _is_saved_model(path) or files.exists(files.join(path, DATASET_FILE))


def _is_saved_model(path: str) -> bool:
    return files.exists(files.join(path, SAVED_MODEL_FILE))


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
        "fingerprint_of takes a Keras model or layer, an object from tf.saved_model.load, a datasets.Dataset or "
        f"DatasetDict, or the path of a model or feature set. Received: {source!r}."
    )


def _in_layers(model: Any) -> Iterator[Identity]:
    import keras

    from audiopipe.layers import ComposedLayer

    for layer in model._flatten_layers(include_self=True, recursive=True):
        if isinstance(layer, ComposedLayer) and layer.config_json is not None:
            yield _current(layer.config_json)
        elif isinstance(layer, keras.layers.TFSMLayer):
            yield from _in_loaded(layer._reloaded_obj)


def _in_dataset(dataset: Any) -> Iterator[Identity]:
    if isinstance(dataset, dict):  # of splits
        for split, rows in dataset.items():
            yield _only(_in_dataset(rows), f"the types of the columns {rows.column_names} of the split {split!r}")
        return
    yield from of_columns(dataset.features or {}).values()


def _in_loaded(loaded: Any) -> Iterator[Identity]:
    """Returns the identities in the functions of an object that `tf.saved_model.load` returned."""
    functions = list(getattr(loaded, "signatures", {}).values())
    for value in vars(loaded).values():
        functions += getattr(value, "concrete_functions", [])
    return _in_graphs((function.graph.as_graph_def() for function in functions), repr(loaded))


def _id(kind: Any) -> str | None:
    """Returns the `id` of a type of `datasets`. A nested list has the `id` of its innermost elements."""
    while hasattr(kind, "feature"):
        kind = kind.feature
    return getattr(kind, "id", None)


def _in_keras_file(path: str) -> Iterator[Identity]:
    try:
        with files.open_binary(path) as file, zipfile.ZipFile(file) as archive:
            waiting = [json.loads(archive.read("config.json"))]
            assets = [name for name in archive.namelist() if name.rpartition("/")[2] == model_stamps.ASSET]
            carried = [archive.read(name).decode() for name in assets]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FingerprintError(
            f"{path!r} is not a file that Keras saved: {error}. Pass the path of a .keras file."
        ) from error
    yield from map(_current, carried)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("registered_name") == model_stamps.REGISTERED_NAME and value["config"].get("config_json"):
                if model_stamps.is_edited(value["config"]):
                    raise FingerprintError(
                        f"config.json of {path!r} was edited: the layers of a composed layer do not match its config. "
                        "Save the model again."
                    )
                yield _current(value["config"]["config_json"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _in_saved_model(path: str) -> Iterator[Identity]:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    name = files.join(path, SAVED_MODEL_FILE)
    try:
        message = saved_model_pb2.SavedModel.FromString(files.read_bytes(name))
    except DecodeError as error:
        raise FingerprintError(f"{name!r} is damaged: {error}. Save the model again.") from error
    return _in_graphs((meta_graph.graph_def for meta_graph in message.meta_graphs), repr(path))


def _in_graphs(graphs: Iterable[Any], where: str) -> Iterator[Identity]:
    for graph in graphs:
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                if node.op == "Const" and _CONSTANT.fullmatch(node.name):
                    identity = _stamped(node.attr["value"].tensor.string_val[0].decode())
                    if identity is None:
                        raise FingerprintError(
                            f"{where} does not contain the kernel version of its feature, because the class of its "
                            "config was unknown when it was saved. Import that class and save the model again."
                        )
                    yield identity


def _current(config_json: str) -> Identity:
    """Returns the identity of a layer whose feature the installed version computes."""
    config = configs.from_json(config_json)
    return Identity(config=config, kernel_version=config.kernel_version, frozen=False)


def _stamped(text: str | None) -> Identity | None:
    """Returns the identity in a stamp, or None if the text is not a stamp or lacks the kernel version."""
    try:
        stamp = json.loads(text or "")
        fields, kernel_version = stamp["config"], stamp["kernel_version"]
    except (ValueError, KeyError, TypeError):
        return None
    if kernel_version is None:
        return None
    return Identity(config=configs.from_dict(fields), kernel_version=kernel_version, frozen=True)


def _only(found: Iterator[Identity], searched: str) -> Identity:
    try:
        identities = list({identity.fingerprint: identity for identity in found}.values())
    except ConfigError as error:
        raise FingerprintError(f"The config in {searched} cannot be read: {error}") from error
    if not identities:
        raise FingerprintError(
            f"No config was found. Searched: {searched}. Only layers and datasets that were made from a config carry "
            "one. Build the model with config.layer(), or map the dataset with audiopipe.hf.map."
        )
    if len(identities) > 1:
        first, *others = identities
        lines = [f"{first.fingerprint}: {first.config!r}"]
        for other in others:
            difference = first.config.diff(other.config, other.kernel_version, first.kernel_version).replace("\n", ", ")
            lines.append(f"{other.fingerprint}: differs from the first in {difference}")
        raise FingerprintError(
            f"There must be one config. Received: {len(identities)} in {searched}:\n" + "\n".join(lines) + "\n"
            "Pass one composed layer at a time: fingerprint_of(model.get_layer(...))."
        )
    return identities[0]
