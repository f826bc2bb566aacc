"""Import of modules that need Apache Beam."""

import importlib
from typing import Any

from audiopipe.errors import MissingDependencyError
from audiopipe.runtime import startup


def imported(module: str) -> Any:
    """Imports a module of audiopipe that imports apache_beam.

    Args:
        module: The full name of the module.

    Raises:
        MissingDependencyError: If the package apache-beam is not installed.
    """
    try:
        with startup.quiet():
            import apache_beam  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Runners and transforms of Apache Beam need the package apache-beam, which is not installed: "
            'pip install "audiopipe[beam]".'
        ) from error
    return importlib.import_module(module)
