"""Failures and remarks of a feature set, by kind."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from audiopipe.feature_sets.message_kinds import kind

SHOWN_KINDS = 10
SHOWN_EXAMPLES = 3


@dataclass(frozen=True)
class Kind:
    """Messages that are equal but for names and numbers.

    Args:
        text: The message with `...` in place of names and numbers.
        count: Number of messages.
        examples: Pairs of the id of a clip and its whole message, those of the first clips.
    """

    text: str
    count: int
    examples: list[tuple[str, str]]


@dataclass(frozen=True)
class Kinds:
    """The most frequent kinds of messages.

    Args:
        total: Number of all messages.
        shown: The most frequent kinds, the most frequent one first.
        n_others: Number of the other kinds.
        others: Number of their messages.
    """

    total: int
    shown: list[Kind]
    n_others: int
    others: int


def failures(lines: Iterable[Mapping[str, Any]]) -> Kinds:
    """Groups the failures of a feature set by their stage and kind.

    Example:
        >>> lines = [{"id": str(number), "stage": "decode", "error": f"It has {number} bytes."} for number in range(9)]
        >>> found = failures(lines)
        >>> found.total, found.shown[0].text, found.shown[0].examples[0]
        (9, 'decode: It has ... bytes.', ('0', 'decode: It has 0 bytes.'))
    """
    return _grouped(lines, lambda line: f"{line['stage']}: {line['error']}")


def remarks(lines: Iterable[Mapping[str, Any]]) -> Kinds:
    """Groups the remarks of a feature set by their kind."""
    return _grouped(lines, lambda line: str(line["remark"]))


def _grouped(lines: Iterable[Mapping[str, Any]], message_of: Callable[[Mapping[str, Any]], str]) -> Kinds:
    counts: dict[str, int] = defaultdict(int)
    examples: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in lines:
        message = message_of(line)
        found = kind(message)
        counts[found] += 1
        if len(examples[found]) < SHOWN_EXAMPLES:
            examples[found].append((str(line["id"]), message))
    ordered = sorted(counts, key=lambda text: -counts[text])
    rest = [counts[text] for text in ordered[SHOWN_KINDS:]]
    return Kinds(
        total=sum(counts.values()),
        shown=[Kind(text, counts[text], examples[text]) for text in ordered[:SHOWN_KINDS]],
        n_others=len(rest),
        others=sum(rest),
    )
