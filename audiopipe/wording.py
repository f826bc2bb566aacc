"""Words in messages for people: numbers with a noun, times, sizes, and suggestions."""

import difflib
from collections.abc import Iterable


def count_of(count: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with a noun in the singular or the plural.

    Args:
        count: The number.
        noun: The noun in the singular.
        plural: Its plural, if it is not the singular with an s.

    Example:
        >>> count_of(1, "file"), count_of(2000, "file"), count_of(0, "copy", "copies")
        ('1 file', '2,000 files', '0 copies')
    """
    return f"{count:,} {noun_of(count, noun, plural)}"


def noun_of(count: int, noun: str, plural: str | None = None) -> str:
    """Returns a noun in the singular for 1, and else in the plural. It also serves for verbs.

    Example:
        >>> noun_of(1, "clip"), noun_of(2, "clip"), noun_of(1, "was", "were")
        ('clip', 'clips', 'was')
    """
    return noun if count == 1 else f"{noun}s" if plural is None else plural


def duration(seconds: float) -> str:
    """Formats a time in seconds.

    Example:
        >>> duration(42), duration(750), duration(11880)
        ('42 s', '12.5 min', '3.3 h')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float) -> str:
    """Formats a number of bytes.

    Example:
        >>> size(999), size(25_600_000), size(3e15)
        ('999 bytes', '25.6 MB', '3000.0 TB')
    """
    if n_bytes < 1000:
        return f"{n_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}"
    return f"{n_bytes / 1000:.1f} TB"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a question that names the known words that are most like a misspelt one, or nothing.

    The question starts with a space, so that it can follow another sentence.

    Example:
        >>> did_you_mean("--worker", ["--workers", "--dtype"])
        ' Did you mean --workers?'
        >>> did_you_mean("--worker", ["--dtype"])
        ''
    """
    found = difflib.get_close_matches(word, known, cutoff=0.7)
    return f" Did you mean {' or '.join(found)}?" if found else ""
