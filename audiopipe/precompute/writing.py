"""Errors of writing a file."""

import contextlib
import sys
from collections.abc import Iterator

from audiopipe.errors import OutputError


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns errors of a block that writes a file into an error that names the file.

    Args:
        path: Path of the file.

    Raises:
        OutputError: If the block raises an error of the operating system or of TensorFlow.
    """
    try:
        yield
    except _failures() as error:
        reason = getattr(error, "message", None) or getattr(error, "strerror", None) or str(error)
        raise OutputError(f"Could not write {path!r}: {reason.rstrip('.')}.") from error


def _failures() -> tuple[type[Exception], ...]:
    """Returns the errors of writing. Those of TensorFlow can occur only where it is loaded."""
    tf = sys.modules.get("tensorflow")
    return (OSError,) if tf is None else (OSError, tf.errors.OpError)
