"""Kinds of messages: what errors and remarks about different clips have in common."""

import re
from collections import Counter
from collections.abc import Iterable

_NAMES = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+(?:\.\d+)?")  # quoted paths and numbers


def kind(message: str) -> str:
    """Returns a message with `...` in place of paths and numbers, so that messages of one kind are equal.

    Example:
        >>> kind("Could not read '/clips/a.wav': 12 of 20 bytes are missing.")
        'Could not read ...: ... of ... bytes are missing.'
    """
    return _NAMES.sub("...", message)


def most_common(messages: Iterable[str], count: int = 5) -> list[tuple[str, int]]:
    """Returns the most frequent kinds of messages, each with its number of messages."""
    return Counter(map(kind, messages)).most_common(count)
