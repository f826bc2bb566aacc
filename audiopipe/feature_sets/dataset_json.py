"""The content of `dataset.json`: whether it has its form, and whether somebody edited it.

It is looked at before anything is made of it, so that of an edit that leaves no valid config the fields are told too.
"""

import hashlib
import json
from typing import Any

from audiopipe import checks
from audiopipe.errors import CorruptFeatureSetError

FORMAT_VERSION = 1

_ABSENT = "(no such field)"
_COUNTS = {"clips": int, "failures": int, "frames": int, "hours": (int, float)}
_SHARD = {"name": str, "records": int, "bytes": int, "sha256": str}


def dump(content: dict[str, Any]) -> bytes:
    """The file for a content, with a checksum over all of it."""
    text = json.dumps({**content, "checksum": _checksum(content)}, indent=2, sort_keys=True) + "\n"
    return text.encode()


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Read the content of a file, and check it.

    Args:
        data: The content of the file.
        name: Its path, for errors.

    Raises:
        CorruptFeatureSetError: If it is not what audiopipe wrote, or comes from another version.
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
                f"{name!r} was edited: it has another checksum than it says. Copy it again, or make the feature set "
                "anew."
            )
        _check_form(content, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise foreign(name, error) from error
    return content


def foreign(name: str, error: Exception) -> CorruptFeatureSetError:
    """The error that says that a file is no `dataset.json` of ours."""
    return CorruptFeatureSetError(
        f"{name!r} is not what audiopipe writes: {type(error).__name__}: {error}. Make the feature set anew."
    )


def _check_config(content: dict[str, Any], name: str) -> None:
    """Compare the config with the text that was fingerprinted, which says what it was."""
    fingerprint, text = content["fingerprint"], content["fingerprinted"]
    written = json.loads(text)
    # Fields that came in later releases are not in the text while they stand at their defaults.
    fields = {field: value for field, value in content["config"].items() if field in written["config"]}
    here = {**fields, "kernel_version": content["kernel_version"]}
    there = {**written["config"], "kernel_version": written["kernel_version"]}
    differing = [field for field in sorted(there) if _text(here.get(field, _ABSENT)) != _text(there[field])]
    as_it_stands = _sha256(_text({"config": fields, "kernel_version": content["kernel_version"]}))
    if as_it_stands == _sha256(text) == fingerprint:
        return
    if not differing:
        edited = "fingerprinted" if as_it_stands == fingerprint else "fingerprint"
        detail = (
            f"only the field {edited} was. Received: {content[edited]!r}, where its config and kernel version have the "
            f"fingerprint {as_it_stands}. "
        )
    elif as_it_stands == fingerprint:
        detail = "only the field fingerprinted was, which does not have the fingerprint of the config. "
    else:
        lines = [f"{field}: {here.get(field, _ABSENT)!r} != {there[field]!r}" for field in differing]
        detail = (
            f"its config (left, fingerprint {as_it_stands}) is not that of its features (right, fingerprint "
            f"{fingerprint}):\n" + "\n".join(lines) + "\n"
        )
    raise CorruptFeatureSetError(f"{name!r} was edited: {detail}Make the feature set anew.")


def _check_form(content: dict[str, Any], name: str) -> None:
    _check_types(content["counts"], _COUNTS, "counts")
    for shard in content["shards"]:
        _check_types(shard, _SHARD, "a shard")
    for machine in content["machines"]:
        _check_types(machine, {"versions": dict}, "a machine")
    if type(content["kernel_version"]) is not int:
        raise TypeError(f"kernel_version must be an integer. Received: {content['kernel_version']!r}")
    records, clips = sum(shard["records"] for shard in content["shards"]), content["counts"]["clips"]
    if records != clips:
        raise CorruptFeatureSetError(
            f"{name!r} must have as many records in its shards as clips in its counts. Received: {records} records, "
            f"{clips} clips. Copy it again, or make the feature set anew."
        )


def _check_types(value: Any, types: dict[str, Any], what: str) -> None:
    for field, kind in types.items():
        if not isinstance(value[field], kind) or isinstance(value[field], bool):
            raise TypeError(f"{what} has no such {field}: {value[field]!r}")


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 over all but the checksum itself, whatever the file's spaces and the order of its keys."""
    return _sha256(json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True))


def _text(value: Any) -> str:
    """JSON as it is fingerprinted, see `audiopipe.configs.base`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
