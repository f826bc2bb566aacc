"""Iterators that threads consume ahead of their reader, who gets all items in order."""

import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

OPEN_UNITS = 32  # begun, or waiting for a thread
WAIT_SECONDS = 0.05
CLOSE_SECONDS = 5.0  # for which closing waits for threads that are blocked, for example by storage that does not answer
SHARE = 4  # a unit whose turn has not come may fill one part of this many


@dataclass(frozen=True, slots=True, eq=False)
class Unit(Generic[Item]):
    """Items that one thread produces, one after the other.

    Args:
        items: The items, usually a generator. It may be consumed in any thread.
        ahead: Whether a thread may consume it before its turn. If not, the reader's thread does when its turn comes.
        begins_in_order: Whether its first item is produced in the order of the units, because the units share something
            that has to be read in order.
    """

    items: Iterable[Item]
    ahead: bool = True
    begins_in_order: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Item that tells that no other item has come for `WAIT_SECONDS`, so that the reader can use the time."""


class _ClosedError(Exception):
    """The reader wants no more items."""


def in_order(
    units: Iterable[Unit[Item]], weight: Callable[[Item], int], *, most: int, threads: int
) -> Generator[Item | Waiting, None, None]:
    """Yields the items of all units, in their order, while threads consume the units ahead.

    Items that have a weight wait in queues whose total weight is limited, and so does one more in each thread. The unit
    whose turn it is may always add one item, so later units never block it. Closing the iterator, or an error, ends the
    threads, so that none is left at a later fork.

    Args:
        units: The units, which are requested in the reader's thread, at most `OPEN_UNITS` ahead.
        weight: Function that returns the weight of an item. Items of weight 0 are not limited.
        most: Limit of the total weight.
        threads: Number of threads. If it is less than 2, the reader's thread does everything, and nothing is consumed
            ahead.

    Yields:
        The items, and `Waiting` again and again while the next item has not come.

    Raises:
        Exception: The error of a unit or of `units`, after the items before it.

    Example:
        >>> list(in_order([Unit("ab"), Unit("c")], lambda item: 1, most=4, threads=2))
        ['a', 'b', 'c']
    """
    if threads < 2:
        for unit in units:
            with _closing(iter(unit.items)) as items:
                yield from items
        return
    reader = _Reader(weight, most, threads)
    try:
        yield from reader.items(units)
    finally:
        reader.close()


class _Channel:
    """Items of one unit that wait for their reader."""

    __slots__ = ("done", "error", "held", "items", "unit")

    def __init__(self, unit: Unit[Any], error: BaseException | None = None):
        self.unit = unit
        self.items: deque[tuple[int, Any]] = deque()  # with their weights
        self.held = 0
        self.done = error is not None
        self.error = error


class _Reader:
    """Threads, and the units that they consume."""

    def __init__(self, weight: Callable[[Any], int], most: int, threads: int):
        self._weight = weight
        self._most = most
        self._n_threads = threads
        self._threads: list[threading.Thread] = []
        self._open: deque[_Channel] = deque()  # the first one is the unit whose turn it is
        self._new: deque[_Channel] = deque()  # those of them that wait for a thread
        self._held = 0
        self._closed = False
        lock = threading.Lock()
        self._lock, self._beginning = lock, threading.Lock()
        self._arrived, self._room, self._work = (threading.Condition(lock) for _ in range(3))

    def items(self, units: Iterable[Unit[Any]]) -> Iterator[Any]:
        """Yields the items of all units."""
        waiting: Iterator[Unit[Any]] | None = iter(units)
        while True:
            while waiting is not None and len(self._open) < OPEN_UNITS:
                try:
                    unit = next(waiting, None)
                except Exception as error:  # which comes after the items of the units before it
                    self._add(_Channel(Unit(()), error))
                    unit = None
                if unit is None:
                    waiting = None
                else:
                    self._add(_Channel(unit))
            if not self._open:
                return
            channel = self._open[0]
            if channel.unit.ahead:
                yield from self._received(channel)
            else:
                with _closing(iter(channel.unit.items)) as items:
                    yield from items
            with self._lock:
                self._open.popleft()
                self._room.notify_all()  # a blocked unit may be the first one now

    def close(self) -> None:
        """Ends the threads."""
        with self._lock:
            self._closed = True
            for condition in (self._room, self._work):
                condition.notify_all()
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _add(self, channel: _Channel) -> None:
        with self._lock:
            self._open.append(channel)
            if not channel.unit.ahead or channel.done:
                return
            self._new.append(channel)
            self._work.notify()
        if len(self._threads) < self._n_threads:
            # Daemons, because a process must be able to exit while storage does not answer.
            self._threads.append(threading.Thread(target=self._run, name="audiopipe-read", daemon=True))
            self._threads[-1].start()

    def _received(self, channel: _Channel) -> Iterator[Any]:
        """Yields the items of the unit whose turn it is."""
        while True:
            with self._lock:
                self._arrived.wait_for(lambda: channel.items or channel.done, WAIT_SECONDS)
                if channel.items:
                    weight, item = channel.items.popleft()
                    channel.held -= weight
                    self._held -= weight
                    if weight:
                        self._room.notify_all()
                elif channel.error is not None:
                    raise channel.error
                elif channel.done:
                    return
                else:
                    item = Waiting()
            yield item
            del item  # the next one may take a while to come

    def _run(self) -> None:
        """Consumes one unit after another."""
        while True:
            error: BaseException | None = None
            try:
                with contextlib.ExitStack() as opened:
                    with self._beginning:
                        channel = self._next()
                        items = opened.enter_context(_closing(iter(channel.unit.items)))
                        begun = list(itertools.islice(items, 1)) if channel.unit.begins_in_order else []
                    for item in itertools.chain(begun, items):
                        self._put(channel, item)
                        del item
            except _ClosedError:
                return
            except BaseException as raised:
                error = raised
            with self._lock:
                channel.error, channel.done = error, True
                self._arrived.notify()

    def _next(self) -> _Channel:
        """Returns the next unit that waits for a thread."""
        with self._lock:
            self._work.wait_for(lambda: self._new or self._closed)
            if self._closed:
                raise _ClosedError
            return self._new.popleft()

    def _put(self, channel: _Channel, item: Any) -> None:
        weight = self._weight(item)
        with self._lock:
            self._room.wait_for(lambda: self._closed or self._has_room(channel, weight))
            if self._closed:
                raise _ClosedError
            channel.items.append((weight, item))
            channel.held += weight
            self._held += weight
            if channel is self._open[0]:
                self._arrived.notify()

    def _has_room(self, channel: _Channel, weight: int) -> bool:
        if not weight:
            return True
        if channel is self._open[0] and not channel.held:
            return True
        share = self._most if channel is self._open[0] else max(self._most // SHARE, weight)
        return self._held + weight <= self._most and channel.held + weight <= share


@contextlib.contextmanager
def _closing(items: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """Closes a generator at the end of the block. Other iterators have nothing to close."""
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
