"""`load_model`: a model from a file, with the layers of audiopipe."""

import contextlib
import os
import warnings
from typing import Any

import keras

import audiopipe.layers  # noqa: F401 (Keras finds the layers of a saved model once they are imported)
from audiopipe.errors import AudiopipeError, ConfigError, FingerprintError, MachineWarning, ModelError
from audiopipe.feature_sets import carrier_files, fingerprints, machine_checks
from audiopipe.models import file_objects
from audiopipe.models.saved_graphs import ENDPOINTS, SavedGraphs
from audiopipe.storage import files


def load_model(
    path: str | os.PathLike[str],
    *,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    endpoint: str | None = None,
) -> keras.Model:
    """Loads a model from a `.keras` file or a SavedModel.

    A program needs no import of `audiopipe.layers`. `audiopipe.fingerprint_of(model).config` is the config of the
    feature that the model takes, if it has a front end or a stamp.

    Nothing that a `.keras` file says is imported, and no Python code in it runs: Keras's `safe_mode` is on, and files
    with lambdas or with functions of Keras that do anything but compute are refused. A SavedModel is a program of
    TensorFlow operations, which can read and write files. Load it only if you trust who made it.

    Args:
        path: Local or remote path of a `.keras` file, or of the folder of a SavedModel.
        custom_objects: Classes and functions of your own by name, as for `keras.saving.load_model`.
        compile: Whether to compile the model of a `.keras` file as it was compiled when it was saved.
        endpoint: Function of a SavedModel to call. None means `"serve"`, which `model.export` writes, or else
            `"serving_default"`.

    Returns:
        The model. The model of a SavedModel computes with the saved graphs, and you cannot access its layers. It keeps
        a stamp. You can export it again, but not save it as a `.keras` file. It takes the inputs of the saved
        model: if there are several and the endpoint is `"serving_default"`, a dict by their names.

    Raises:
        ModelError: If there is no model at the path, or it is damaged, needs classes that are not known, or has code.
        ConfigMismatchError: If the model computes another feature than the one that it was trained on.
        FingerprintError: If a stamp or the config of a layer was edited.

    Warns:
        MachineWarning: If the model has a stamp, and this machine computes the feature with other bits than the machine
            of the stamp. The message says by how much they differ.

    Example:
        >>> import keras, tempfile
        >>> import audiopipe
        >>> config = audiopipe.registry.get("speech-mel-80")
        >>> model = keras.Sequential([keras.Input((None, 1)), config.layer(), keras.layers.GlobalAveragePooling2D()])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     loaded = load_model(f"{folder}/model.keras")
        >>> audiopipe.fingerprint_of(loaded).config == config
        True
    """
    path = os.fspath(path)
    if carrier_files.is_saved_model(path):
        model = _saved_model(path, endpoint)
    elif path.endswith(".keras") and files.exists(path):
        model = _keras_file(path, custom_objects, compile)
    else:
        raise ModelError(
            f"There must be a .keras file or a SavedModel ({carrier_files.SAVED_MODEL_FILE}) at the path. Received: "
            f"{path!r}. Load an HDF5 file with keras.saving.load_model, and save it as a .keras file."
        )
    _check(model, path)
    return model


def _keras_file(path: str, custom_objects: dict[str, Any] | None, compiled: bool) -> keras.Model:
    with files.local_copy(path) as local:
        file_objects.check(local, custom_objects, compiled=compiled)
        try:
            return keras.saving.load_model(local, custom_objects=custom_objects, compile=compiled, safe_mode=True)
        except AudiopipeError:
            raise
        except Exception as error:  # the constructors of layers can raise anything
            raise ModelError(
                f"{path!r} cannot be loaded: {type(error).__name__}: {error}. If it needs classes or functions of your "
                "own, import their module first, or pass custom_objects."
            ) from error


def _saved_model(path: str, endpoint: str | None) -> keras.Model:
    faults = []
    for wanted in (endpoint,) if endpoint else ENDPOINTS:
        try:
            return SavedGraphs(path, wanted)
        except AudiopipeError:
            raise
        except Exception as error:  # TensorFlow raises many kinds for damaged files
            faults.append(error)
    raise ModelError(
        f"The SavedModel {path!r} cannot be loaded: {type(faults[-1]).__name__}: {faults[-1]}"
    ) from faults[-1]


def _check(model: keras.Model, path: str) -> None:
    """Raises an error if a model contradicts itself. Warns if it was trained on features with other bits."""
    stamps = []
    with contextlib.suppress(ConfigError):  # the class of the config may be unknown in a program that only computes
        stamps = fingerprints.stamps_of(model)
    with contextlib.suppress(FingerprintError):  # many models have no config, and some have several
        fingerprints.fingerprint_of(model)
    for stamp in stamps:
        different = machine_checks.differences(stamp.machines, stamp.config, stamp.kernel_version)
        if different:
            message = f"The model {path!r} was trained on features of another environment. {different}"
            warnings.warn(message, MachineWarning, stacklevel=3)
