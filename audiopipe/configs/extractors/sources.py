"""Where the settings of an extractor come from: an object of transformers, a dict, a file or a folder.

Nothing that a file says is imported or executed, and JSON needs no transformers.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiopipe import checks
from audiopipe.errors import ConfigError

# transformers reads the first one if it has an extractor in it, otherwise the second, see `get_feature_extractor_dict`:
# https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/feature_extraction_utils.py
PROCESSOR_FILE = "processor_config.json"
EXTRACTOR_FILE = "preprocessor_config.json"
NESTED = ("feature_extractor", "audio_processor")
TYPE = "feature_extractor_type"
MAX_DEPTH = 2  # of extractors in processors
MAX_BYTES = 16 * 2**20  # the largest files have the filterbank of Whisper in them, 0.2 MB

_WANTED = (
    "from_extractor takes a feature extractor or processor of transformers, its to_dict(), the path of a "
    f"{EXTRACTOR_FILE} or {PROCESSOR_FILE}, or a folder that holds one."
)


@dataclass(frozen=True)
class Source:
    """Class and settings of an extractor.

    Args:
        class_name: Name of its class in transformers.
        settings: Settings by name, not checked yet.
        where: The file they are in, for error messages: " in 'preprocessor_config.json'" or "".
        instance: The extractor itself, if it was passed.
    """

    class_name: str
    settings: Mapping[str, Any]
    where: str
    instance: Any = None


def find(extractor: Any) -> Source:
    """Returns class and settings of what `from_extractor` takes.

    Raises:
        ConfigError: If they cannot be found.
    """
    if isinstance(extractor, Mapping):
        return _of_dict(extractor, "")
    if isinstance(extractor, (str, os.PathLike)):
        return _of_path(os.fspath(extractor))
    return _of_object(extractor)


def is_extractor(content: Any) -> bool:
    """Returns whether the JSON of a file is that of an extractor or a processor, and not that of a config.

    Example:
        >>> is_extractor({"feature_extractor_type": "ASTFeatureExtractor"}), is_extractor({"feature": "LogMel"})
        (True, False)
    """
    if not isinstance(content, dict) or "feature" in content:
        return False
    has_extractor = any(isinstance(content.get(name), dict) for name in NESTED)
    return has_extractor or TYPE in content or "processor_class" in content


def _of_object(extractor: Any, depth: int = 0) -> Source:
    if isinstance(extractor, type):
        raise ConfigError(f"{_WANTED} Received: the class {extractor.__name__}. Pass an instance of it.")
    for name in NESTED:
        inner = getattr(extractor, name, None)
        if inner is not None and depth < MAX_DEPTH:
            return _of_object(inner, depth + 1)
    cls = type(extractor)
    if cls.__module__.partition(".")[0] != "transformers":
        bases = [base.__name__ for base in cls.__mro__ if base.__module__.startswith("transformers.models.")]
        advice = (
            f" A class of your own may compute anything. If its feature is that of {bases[0]}, pass "
            f'extractor.to_dict() | {{"{TYPE}": "{bases[0]}"}}.'
            if bases
            else ""
        )
        raise ConfigError(f"{_WANTED} Received: an instance of {cls.__module__}.{cls.__name__}.{advice}")
    return Source(cls.__name__, vars(extractor), "", extractor)


def _of_dict(settings: Mapping[str, Any], where: str, depth: int = 0) -> Source:
    for name in NESTED:
        inner = settings.get(name)
        if isinstance(inner, Mapping) and depth < MAX_DEPTH:
            return _of_dict(inner, where, depth + 1)
    class_name = settings.get(TYPE)
    if not isinstance(class_name, str):
        shown = checks.shown(class_name, 80)
        received = f"{TYPE}={shown}" if TYPE in settings else f"the keys {_keys(settings) or 'of an empty dict'}"
        raise ConfigError(
            f'The settings{where} must name the class of the extractor, such as "{TYPE}": "WhisperFeatureExtractor". '
            f"Received: {received}. Add it: the documentation of the model in transformers names the class."
        )
    if settings.get("auto_map"):
        raise ConfigError(
            f"The settings{where} must not name code of their own. Received: "
            f"auto_map={checks.shown(settings['auto_map'], 200)}. "
            f"audiopipe does not run it. If its feature is that of {class_name} of transformers, remove auto_map."
        )
    return Source(class_name, settings, where)


def _of_path(path: str | bytes) -> Source:
    path = os.fsdecode(path)
    if not os.path.isdir(path):
        return _of_dict(_read(path), f" in {path!r}")
    processor, extractor = os.path.join(path, PROCESSOR_FILE), os.path.join(path, EXTRACTOR_FILE)
    if os.path.exists(processor):
        content = _read(processor)
        if any(isinstance(content.get(name), Mapping) for name in NESTED):
            return _of_dict(content, f" in {processor!r}")
    if os.path.exists(extractor):
        return _of_dict(_read(extractor), f" in {extractor!r}")
    raise ConfigError(
        f"A folder must hold a {EXTRACTOR_FILE}, or a {PROCESSOR_FILE} with a feature_extractor in it. Received: "
        f"{path!r}, which holds {_keys(os.listdir(path)) or 'nothing'}. Save the extractor there: "
        "extractor.save_pretrained(folder)."
    )


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb", opener=_open_file) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"There is no file and no folder at {path!r}. Pass the path of an extractor. audiopipe downloads "
            f"nothing. If it is the name of a model, pass AutoFeatureExtractor.from_pretrained({path!r}) of "
            "transformers, or download the model first."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"Could not read {path!r}: {reason}. {_WANTED}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path!r} must have at most {MAX_BYTES} bytes. Received: more. It is not a {EXTRACTOR_FILE} of "
            "transformers."
        )
    try:
        # Editors on Windows write a byte order mark, with which transformers would not read the file.
        settings = json.loads(content.decode("utf-8-sig"), object_pairs_hook=checks.unique_keys)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path!r} must be JSON. Received: {content[:60]!r} ({error}). Save the extractor again with "
            "extractor.save_pretrained(folder), or download the file again."
        ) from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path!r} must hold a JSON object. Received: {checks.shown(settings, 60)}. {_WANTED}")
    return settings


def _open_file(path: str, flags: int) -> int:
    # Opening a pipe would wait until somebody writes into it.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is not a regular file")
    return descriptor


def _keys(names: Any) -> str:
    shown = sorted(checks.shown(name, 80) for name in names)
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
