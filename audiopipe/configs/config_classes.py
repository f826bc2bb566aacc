"""Config classes by their names in JSON.

audiopipe never imports a module because a file names it. A class is found if the program has defined or imported it, or
if an installed distribution declares it as an entry point of the group `audiopipe.config_classes`.
"""

from typing import Any

from audiopipe.errors import ConfigError
from audiopipe.runtime import installed

ENTRY_POINT_GROUP = "audiopipe.config_classes"
OWN_PACKAGE = __name__.partition(".")[0]

_classes: dict[str, type[Any]] = {}


def name_of(cls: type[Any]) -> str:
    """Returns the name of a class in JSON, with its module if it is a class of another package."""
    return cls.__qualname__ if is_own(cls) else f"{cls.__module__}.{cls.__qualname__}"


def is_own(cls: type[Any]) -> bool:
    """Returns whether a class belongs to audiopipe."""
    return cls.__module__.partition(".")[0] == OWN_PACKAGE


def has_fixed_name(cls: type[Any]) -> bool:
    """Returns whether the name of a class means the same class in every program."""
    return cls.__module__ != "__main__" and "<locals>" not in cls.__qualname__


def add(cls: type[Any]) -> None:
    """Adds a class. If its module is reloaded, the new class replaces the old one.

    Raises:
        ConfigError: If audiopipe has another class of that name.
    """
    if not has_fixed_name(cls):
        return
    name = name_of(cls)
    known = _classes.get(name, cls)
    if is_own(cls) and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ConfigError(
            f"A config class must have a unique name. Received: {cls.__module__}.{cls.__name__}, but "
            f"{known.__module__}.{known.__name__} has that name. Rename one of them."
        )
    _classes[name] = cls


def own_names() -> list[str]:
    """Returns the sorted names of audiopipe's own config classes."""
    return sorted(name for name, cls in _classes.items() if name == cls.__name__ and is_own(cls))


def find(name: str) -> type[Any]:
    """Returns the config class that has this name in JSON.

    Raises:
        ConfigError: If the class is unknown. The message says what to import or install.
    """
    if name not in _classes and "." in name:
        _load_declared(name)
    if name in _classes:
        return _classes[name]
    module, dot, _ = name.rpartition(".")
    if not dot:
        raise ConfigError(
            f'A config must name its feature: "feature" must be one of {", ".join(own_names())}, or '
            f'"module.Class" for a config class of another package. Received: feature={name!r}.'
        )
    raise ConfigError(
        f"The config class {name!r} is not known here, and audiopipe never imports a module because a file names it. "
        f"If you trust that code, import the module first: 'import {module}' in a program, '--import {module}' on the "
        "command line. Or install a distribution that declares the class as an entry point of the group "
        f"{ENTRY_POINT_GROUP!r}."
    )


def _load_declared(name: str) -> None:
    """Imports the class if an installed distribution declares it. The import adds the class."""
    for entry_point in installed.entry_points(ENTRY_POINT_GROUP):
        if f"{entry_point.module}.{entry_point.attr}" != name:
            continue
        try:
            installed.load(entry_point)
        except Exception as error:  # the code of the package can raise anything
            raise ConfigError(
                f"The config class {name!r} cannot be loaded from its entry point {entry_point.value!r}: "
                f"{type(error).__name__}: {error}. Fix or uninstall the distribution that declares it."
            ) from error
