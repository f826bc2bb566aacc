"""Config classes by the name that JSON has for them.

A name in a file never makes audiopipe import a module. It finds a class that the program has defined or imported, or
one that an installed distribution declares as an entry point of the group `audiopipe.config_classes`.
"""

from typing import Any

from audiopipe.errors import ConfigError
from audiopipe.runtime import installed

ENTRY_POINT_GROUP = "audiopipe.config_classes"
OWN_PACKAGE = __name__.partition(".")[0]

_classes: dict[str, type[Any]] = {}


def name_of(cls: type[Any]) -> str:
    """Return the name of a class in JSON: the class's own, with its module in front if it is not audiopipe's."""
    return cls.__qualname__ if is_own(cls) else f"{cls.__module__}.{cls.__qualname__}"


def is_own(cls: type[Any]) -> bool:
    """Return whether a class belongs to audiopipe."""
    return cls.__module__.partition(".")[0] == OWN_PACKAGE


def has_fixed_name(cls: type[Any]) -> bool:
    """Return whether the name of a class means the same class in every program."""
    return cls.__module__ != "__main__" and "<locals>" not in cls.__qualname__


def add(cls: type[Any]) -> None:
    """Make a class known. Defining it again, as reloading a module does, replaces it.

    Raises:
        ConfigError: If audiopipe has another class of that name.
    """
    if not has_fixed_name(cls):
        return
    name = name_of(cls)
    known = _classes.get(name, cls)
    if is_own(cls) and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ConfigError(
            f"A config class must have a name of its own. Received: {cls.__module__}.{cls.__name__}, but "
            f"{known.__module__}.{known.__name__} has that name."
        )
    _classes[name] = cls


def own_names() -> list[str]:
    """Return the names of audiopipe's own config classes, sorted."""
    return sorted(name for name, cls in _classes.items() if name == cls.__name__ and is_own(cls))


def find(name: str) -> type[Any]:
    """Return the config class that JSON calls `name`.

    Raises:
        ConfigError: If no such class is known here. The message says what to import or install.
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
        f"The config class {name!r} is not known here, and audiopipe imports no module because a file names it. If you "
        f"trust that code, import the module first: 'import {module}' in a program, '--import {module}' on the command "
        "line. Or install a distribution that declares the class as an entry point of the group "
        f"{ENTRY_POINT_GROUP!r}."
    )


def _load_declared(name: str) -> None:
    """Import the class if an installed distribution declares it. Defining the class makes it known."""
    for entry_point in installed.entry_points(ENTRY_POINT_GROUP):
        if f"{entry_point.module}.{entry_point.attr}" != name:
            continue
        try:
            installed.load(entry_point)
        except Exception as error:  # whatever the package's own code raises
            raise ConfigError(
                f"The config class {name!r} cannot be loaded from its entry point {entry_point.value!r}: "
                f"{type(error).__name__}: {error}. Fix or uninstall the distribution that declares it."
            ) from error
