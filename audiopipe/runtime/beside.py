"""A thread that handles items beside the thread that produces them."""

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Beside(Generic[Item]):
    """Thread that handles items in their order. A context manager, whose end waits until all of them are handled.

    The weights of the items that wait or are being handled are at most `most` in all. An item that is heavier is
    handled alone, and `add` returns when it has been handled.

    Args:
        handle: Function that handles an item.
        weight: Function that returns the weight of an item. Items of weight 0 are not limited.
        most: Limit of the total weight.

    Raises:
        Exception: The error of `handle`, from the next call of `add` or at the end of the context. The items after it
            are not handled. If the context ends by another error, items that wait are not handled either.

    Example:
        >>> handled = []
        >>> with Beside(handled.append, lambda item: 1, most=2) as beside:
        ...     for item in "abc":
        ...         beside.add(item)
        >>> handled
        ['a', 'b', 'c']
    """

    def __init__(self, handle: Callable[[Item], object], weight: Callable[[Item], int], *, most: int):
        self._handle = handle
        self._weight = weight
        self._most = most
        self._waiting: deque[tuple[int, Item]] = deque()
        self._held = 0
        self._is_ending = False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._lock = lock
        self._added, self._handled = threading.Condition(lock), threading.Condition(lock)
        self._thread = threading.Thread(target=self._run, name="audiopipe-beside", daemon=True)

    def __enter__(self) -> "Beside[Item]":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_ending = True
            if kind is not None:
                self._waiting.clear()
            self._added.notify()
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def add(self, item: Item) -> None:
        """Adds an item. Waits while too much is waiting."""
        weight = self._weight(item)
        with self._lock:
            self._wait_for(lambda: not weight or not self._held or self._held + weight <= self._most)
            self._waiting.append((weight, item))
            del item
            self._held += weight
            self._added.notify()
            if weight > self._most:
                self._wait_for(lambda: not self._held)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        self._handled.wait_for(lambda: self._error is not None or condition())
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._lock:
                self._added.wait_for(lambda: self._waiting or self._is_ending)
                if not self._waiting:
                    return
                weight, item = self._waiting.popleft()
            error: BaseException | None = None
            try:
                self._handle(item)
            except BaseException as raised:
                error = raised
            del item
            with self._lock:
                self._held -= weight
                self._error = error
                self._handled.notify()
                if error is not None:
                    self._waiting.clear()
                    return
