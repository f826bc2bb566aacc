"""Objects that every process creates for itself, such as open files."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Callable that returns the object of the current process, and creates it in the first call.

    A process that was forked creates its own object. It shares no lock with its parent, which another thread may have
    held during the fork, and no file position. Pickles contain no object.

    Args:
        create: Function that creates an object. Threads may call it at once, and then one of the objects is used.

    Example:
        >>> numbers = PerProcess(list)
        >>> numbers().append(1)
        >>> numbers()
        [1]
    """

    def __init__(self, create: Callable[[], T]):
        self._create = create
        self._objects: dict[int, T] = {}

    def __call__(self) -> T:
        process = os.getpid()
        found = self._objects.get(process)
        return self._objects.setdefault(process, self._create()) if found is None else found

    def __reduce__(self):
        return type(self), (self._create,)
