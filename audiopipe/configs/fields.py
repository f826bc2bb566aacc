"""Dataclass fields of configs: fields that a later release added, and checks against annotations."""

import types
import typing
from collections.abc import Callable
from dataclasses import field
from typing import Any

from audiopipe import checks
from audiopipe.errors import ConfigError


def later_field(default: Any, check: Callable[[str, Any], Any] | None = None) -> Any:
    """Returns a dataclass field that a later release added to a config class.

    The identity form omits the field if it has its default, or the value that replaces the default on construction.
    Fingerprints from earlier releases therefore do not change.

    Args:
        default: The value that reproduces releases without the field. It may depend on other fields, as None often
            does, but not on a setting of the process. `"default"` is refused for that reason: use the data format.
        check: Function of the name and the value of the field that returns the canonical value or raises an
            `ArgumentError`. None checks the value against the annotation, which must be a simple type or a union of
            simple types.

    Raises:
        ConfigError: If the default is `"default"`.
    """
    if isinstance(default, str) and default == "default":
        raise ConfigError(
            "The default of a later field must mean the same in every process. Received: default='default', which "
            "follows Keras's setting. Use the data format that the class had without the field, 'channels_last'."
        )
    return field(default=default, metadata={"later": True} | ({} if check is None else {"check": check}))


def typed(name: str, value: Any, *, kind: Any) -> Any:
    """Returns `value` as the annotated type `kind`, a simple type or a union of simple types.

    Raises:
        ArgumentError: If the value has another type.
    """
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, str) and str in kinds:
        return str(value)
    for single, check in ((bool, checks.boolean), (int, checks.integer), (float, checks.real)):
        if single in kinds:
            return check(name, value)
    raise checks.fail(name, "a string", value)
