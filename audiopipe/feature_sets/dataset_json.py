"""The content of `dataset.json`, and the checks that it is valid and unedited.

The checks run before the config is built, so the error lists the edited fields even if the edited config is invalid.
"""

import hashlib
import json
from typing import Any

from audiopipe import checks
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.shard_names import is_shard_name, shard_name

FORMAT_VERSION = 1

_ABSENT = "(no such field)"
_COUNTS = {"clips": int, "failures": int, "frames": int, "hours": (int, float)}
_SHARD = {"name": str, "records": int, "bytes": int, "sha256": str}


def dump(content: dict[str, Any]) -> bytes:
    """Returns the bytes of `dataset.json`: the content and a checksum of it."""
    text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, sort_keys=True) + "\n"
    return text.encode()


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Parses `dataset.json` and validates its content.

    Args:
        data: Bytes of the file.
        name: Path of the file, for error messages.

    Returns:
        The content.

    Raises:
        CorruptFeatureSetError: If the content is invalid, was edited, or has another format version.
    """
    try:
        content = json.loads(data, object_pairs_hook=checks.unique_keys)
        version = content["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise foreign(name, error) from error
    if version != FORMAT_VERSION:
        raise CorruptFeatureSetError(
            f"{name!r} must have format_version {FORMAT_VERSION}. Received: {version!r}. "
            f"Read it with the version of audiopipe that wrote it: {content.get('machines')}."
        )
    try:
        _check_config(content, name)
        if content["checksum"] != _checksum(content):
            raise CorruptFeatureSetError(
                f"{name!r} was edited: its content does not match its checksum. Copy it again, or recompute the "
                "feature set."
            )
        _check_form(content, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise foreign(name, error) from error
    return content


def foreign(name: str, error: Exception) -> CorruptFeatureSetError:
    """Returns the error for a file that is not a valid `dataset.json`."""
    return CorruptFeatureSetError(
        f"{name!r} is not a valid dataset.json: {type(error).__name__}: {str(error).rstrip('.')}. Recompute "
        "the feature set."
    )


def _check_config(content: dict[str, Any], name: str) -> None:
    """Raises an error unless the config matches the text that was fingerprinted.

    The text contains the original config, so the error can list the edited fields.
    """
    fingerprint, text = content["fingerprint"], content["fingerprinted"]
    written = json.loads(text)
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


def _check_form(content: dict[str, Any], name: str) -> None:
    optional = {name: int for name in ("remarks", "left_out", "short_recordings") if name in content["counts"]}
    _check_types(content["counts"], {**_COUNTS, **optional}, "counts")
    for shard in content["shards"]:
        _check_types(shard, _SHARD, "a shard")
        # Another name could lead to a file outside the folder.
        if not is_shard_name(shard["name"]):
            raise ValueError(f"A shard must have a name like {shard_name(0, 1)!r}. Received: {shard['name']!r}")
    for machine in content["machines"]:
        _check_types(machine, {"versions": dict}, "a machine")
    if type(content["kernel_version"]) is not int:
        raise TypeError(f"kernel_version must be an integer. Received: {content['kernel_version']!r}")
    records, clips = sum(shard["records"] for shard in content["shards"]), content["counts"]["clips"]
    if records != clips:
        raise CorruptFeatureSetError(
            f"{name!r} must have as many records in its shards as clips in its counts. Received: {records} records, "
            f"{clips} clips. Copy it again, or recompute the feature set."
        )


def _check_types(value: Any, types: dict[str, Any], what: str) -> None:
    for field, kind in types.items():
        if not isinstance(value[field], kind) or isinstance(value[field], bool):
            raise TypeError(f"{field!r} of {what} has the wrong type. Received: {value[field]!r}")


def _checksum(content: dict[str, Any]) -> str:
    """Returns the SHA-256 of the content without its checksum, independent of whitespace and key order."""
    return _sha256(json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True))


def _text(value: Any) -> str:
    """Returns the JSON of a value in the form that is fingerprinted, see `audiopipe.configs.base`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
