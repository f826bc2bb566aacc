"""What a `.keras` file may contain: objects that compute, of classes that the program knows.

Keras's `safe_mode` refuses lambdas. It still calls any function of Keras that a file names, except some, and imports
the packages `keras_hub`, `keras_cv` and `keras_nlp` because a file names them. A file of that name in the working
directory would then run. Older releases refuse less.
"""

import json
import zipfile
from collections.abc import Iterator
from typing import Any

import keras

from audiopipe.errors import ModelError
from audiopipe.storage import files

CODE = ("__lambda__", "Lambda", "TFSMLayer")  # they hold Python code, or load another file

FUNCTIONS = ("activations", "constraints", "initializers", "losses", "metrics", "ops", "random", "regularizers")
CLASSES = (*FUNCTIONS, "dtype_policies", "layers", "models", "optimizers", "quantizers")
"""Packages of Keras whose functions and classes compute. The others read and write files or change settings."""


def check(path: str, custom_objects: dict[str, Any] | None, *, compiled: bool) -> None:
    """Raises an error if a `.keras` file has code, or needs objects that the program does not know.

    Args:
        path: Local path of the file.
        custom_objects: Classes and functions of the caller by name.
        compiled: Whether the settings of `compile` will be read too.

    Raises:
        ModelError: If it does, or is damaged.
    """
    try:
        with files.open_binary(path) as file, zipfile.ZipFile(file) as archive:
            content = json.loads(archive.read("config.json"))
        content = {name: value for name, value in content.items() if compiled or name != "compile_config"}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path!r} is not a file that Keras saved: {error}. Save the model again.") from error
    for described in _objects(content):
        fault = _fault(described, custom_objects or {})
        if fault:
            raise ModelError(f"{path!r} {fault}")


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """Yields the descriptions of objects in the form of Keras, however deep they are."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value and "config" in value:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _fault(described: dict[str, Any], custom_objects: dict[str, Any]) -> str:
    """Returns what is wrong with an object, or an empty text."""
    kind, module, settings = described["class_name"], described.get("module"), described["config"]
    is_function = kind == "function"
    name = settings if is_function else kind
    # Keras finds functions and classes by these names.
    registered = name if is_function else described.get("registered_name") or name
    if not isinstance(registered, str) or not isinstance(module, str | None):
        return f"is damaged: it describes an object as {described!r:.200}. Save the model again."
    if keras.saving.get_registered_object(registered, custom_objects) is not None:
        return ""
    if kind in CODE:
        return (
            f"holds code: {kind!r}. It is not loaded, because that code would run. If you trust who made the file, "
            "load it with keras.saving.load_model(path, safe_mode=False)."
        )
    package, _, rest = (module or "builtins").partition(".")
    part = rest.removeprefix("src.").partition(".")[0]
    if package == "builtins":
        known = _is_function_of_keras(name) if is_function else kind.startswith("__")  # such as a tensor
    else:
        known = package == "keras" and (part in (FUNCTIONS if is_function else CLASSES) or not (part or is_function))
    if not known:
        return (
            f"needs {name!r} of the module {module!r}, which is not known here, and nothing is imported because a file "
            "names it. If you trust that code, import its module first, and register the class or function with "
            "keras.saving.register_keras_serializable, or pass custom_objects."
        )
    if isinstance(settings, dict) and isinstance(settings.get("vocabulary"), str):
        return f"would read the file {settings['vocabulary']!r}. Save the model with the vocabulary itself."
    return ""


def _is_function_of_keras(name: str) -> bool:
    """Returns whether Keras finds a function by its name alone, such as `"relu"`."""
    return any(hasattr(getattr(keras, package), name) for package in FUNCTIONS)
