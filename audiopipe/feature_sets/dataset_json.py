"""The bytes of `dataset.json`: reading, limits, and the checks that it is valid and unedited.

The checks run before the config is built, so the error lists the edited fields even if the edited config is invalid.
"""

import hashlib
import json
import re
from typing import Any

from audiopipe import checks
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import dataset_form
from audiopipe.storage import files

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
PARTS_VERSION = 3  # of a set in parts, each of which has a readable version, see `parted_sets`
MAX_BYTES = 1 << 26  # more than 200,000 shards
MAX_DEPTH = 32
MAX_CONTAINERS = 1 << 20  # objects and lists

_ABSENT = "(no such field)"
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)


class InPartsError(FeatureSetError):
    """The `dataset.json` is that of a feature set in parts, see `audiopipe.feature_sets.parted_sets`."""


def dump(content: dict[str, Any]) -> bytes:
    """Returns the bytes of `dataset.json`: the content and a checksum of it.

    Raises:
        FeatureSetError: If there are too many shards to be read again.
    """
    text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, sort_keys=True) + "\n"
    if len(text) > MAX_BYTES:
        raise FeatureSetError(
            f"dataset.json must have at most {MAX_BYTES} bytes. Received: {len(text)} bytes for "
            f"{len(content['shards'])} shards. Use fewer shards: --num-shards."
        )
    return text.encode()


def read(path: str) -> bytes:
    """Reads a file that should be a `dataset.json`, in bounded memory.

    Raises:
        CorruptFeatureSetError: If the file is larger than any `dataset.json`.
        FeatureSetError: If the file cannot be read.
    """
    try:
        with files.open_binary(path) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FeatureSetError(f"Could not read {path!r}: {error.strerror or error}.") from error
    if len(data) > MAX_BYTES:
        raise foreign(path, ValueError(f"It must have at most {MAX_BYTES} bytes. Received: more"))
    return data


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Parses `dataset.json` and validates its content.

    Args:
        data: Bytes of the file.
        name: Path of the file, for error messages.

    Returns:
        The content.

    Raises:
        CorruptFeatureSetError: If the content is invalid, was edited, or has another format version.
        InPartsError: If it is that of a feature set in parts.
    """
    content, version = _loaded(data, name)
    if _is_of_parts(version):
        raise InPartsError(f"{name!r} names the parts of a feature set. Open the folder with audiopipe.FeatureSet.")
    if version not in READABLE_VERSIONS or isinstance(version, (bool, float)):
        raise CorruptFeatureSetError(
            f"{name!r} must have a format_version of {READABLE_VERSIONS[0]} .. {PARTS_VERSION}. Received: "
            f"{version!r}. Read it with the version of audiopipe that wrote it: {_writers(content)!s:.500}."
        )
    try:
        _check_config(content, name)
        _check_checksum(content, name)
        dataset_form.check(content, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise foreign(name, error) from error
    return content


def parse_parts(data: bytes, name: str) -> dict[str, Any] | None:
    """Parses the `dataset.json` of a feature set in parts and validates its content.

    Args:
        data: Bytes of the file.
        name: Path of the file, for error messages.

    Returns:
        The content. None if it is that of a feature set without parts, which is not validated.

    Raises:
        CorruptFeatureSetError: If the content is invalid or was edited.
    """
    content, version = _loaded(data, name)
    if not _is_of_parts(version):
        return None
    try:
        _check_checksum(content, name)
        dataset_form.check_parts(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise foreign(name, error) from error
    return content


def loads(data: bytes) -> Any:
    """Parses JSON from a stranger.

    Raises:
        ValueError: If the data is not JSON, has a key twice, or is nested too deeply or has too many objects and lists
            to be a description.
    """
    depth, containers = 0, 0
    for token in _TOKENS.finditer(data):
        if token[0] in (b"[", b"{"):
            depth, containers = depth + 1, containers + 1
            if depth > MAX_DEPTH or containers > MAX_CONTAINERS:
                raise ValueError(
                    f"JSON must have at most {MAX_CONTAINERS} objects and lists, nested at most {MAX_DEPTH} deep. "
                    "Received: more"
                )
        elif token[0] in (b"]", b"}"):
            depth -= 1
    return json.loads(data, object_pairs_hook=checks.unique_keys)


def foreign(name: str, error: Exception) -> CorruptFeatureSetError:
    """Returns the error for a file that is not a valid `dataset.json`."""
    return CorruptFeatureSetError(
        f"{name!r} is not a valid dataset.json: {type(error).__name__}: {str(error).rstrip('.')}. Recompute "
        "the feature set."
    )


def _loaded(data: bytes, name: str) -> tuple[dict[str, Any], Any]:
    """Returns the content and its format version."""
    try:
        content = loads(data)
        version = content["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise foreign(name, error) from error
    return content, version


def _is_of_parts(version: Any) -> bool:
    return type(version) is int and version == PARTS_VERSION


def _check_checksum(content: dict[str, Any], name: str) -> None:
    if content["checksum"] != _checksum(content):
        raise CorruptFeatureSetError(
            f"{name!r} was edited: its content does not match its checksum. Copy it again, or recompute the feature "
            "set."
        )


def _writers(content: dict[str, Any]) -> list[Any]:
    """Returns the versions on the machines that wrote a set of an unknown format, whose content can be anything."""
    machines = content.get("machines")
    found = machines if isinstance(machines, list) else []
    return [machine.get("versions") for machine in found if isinstance(machine, dict)]


def _check_config(content: dict[str, Any], name: str) -> None:
    """Raises an error unless the config matches the text that was fingerprinted.

    The text contains the original config, so the error can list the edited fields.
    """
    fingerprint, text = content["fingerprint"], content["fingerprinted"]
    written = loads(text.encode())
    # The text omits fields that later releases added, as long as they have their defaults.
    fields = {field: value for field, value in content["config"].items() if field in written["config"]}
    current = {**fields, "kernel_version": content["kernel_version"]}
    original = {**written["config"], "kernel_version": written["kernel_version"]}
    differing = [field for field in sorted(original) if _text(current.get(field, _ABSENT)) != _text(original[field])]
    computed = _sha256(_text({"config": fields, "kernel_version": content["kernel_version"]}))
    if computed == _sha256(text) == fingerprint:
        return
    if not differing:
        edited = "fingerprinted" if computed == fingerprint else "fingerprint"
        detail = (
            f"only the field {edited} was changed. Received: {content[edited]!r}, but the config and kernel version "
            f"have the fingerprint {computed}. "
        )
    elif computed == fingerprint:
        detail = "only the field fingerprinted was changed. It does not have the fingerprint of the config. "
    else:
        lines = [f"{field}: {current.get(field, _ABSENT)!r} != {original[field]!r}" for field in differing]
        detail = (
            f"its config (left, fingerprint {computed}) differs from the config of its features (right, fingerprint "
            f"{fingerprint}):\n" + "\n".join(lines) + "\n"
        )
    raise CorruptFeatureSetError(f"{name!r} was edited: {detail}Recompute the feature set.")


def _checksum(content: dict[str, Any]) -> str:
    """Returns the SHA-256 of the content without its checksum, independent of whitespace and key order."""
    return _sha256(json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True))


def _text(value: Any) -> str:
    """Returns the JSON of a value in the form that is fingerprinted, see `audiopipe.configs.identified`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
