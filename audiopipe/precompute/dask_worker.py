"""What a worker of Dask imports before its first task."""

from typing import Any

from audiopipe.runtime import startup


def dask_setup(worker: Any) -> None:
    """Imports Apache Beam without the warnings that it logs. Dask calls this function by its name."""
    with startup.quiet():
        import apache_beam  # noqa: F401
