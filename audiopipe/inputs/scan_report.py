"""What a scan noticed beside the clips."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class ScanReport:
    """What a scan noticed beside the clips. `scan` fills it, and it is complete when the scan has ended.

    Args:
        left_out: Number of files of a folder or a glob that look like audio or video and are not taken, for each
            extension in lower case.
        notes: Sentences about how the input was read, without a full stop.

    Example:
        >>> ScanReport(left_out=Counter({".m4a": 2, ".webm": 1})).lines()
        ['3 files left out: 2 .m4a, 1 .webm']
    """

    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Returns everything that was noticed as lines for people to read."""
        lines = list(self.notes)
        if self.left_out:
            lines.append(left_out_line(self.left_out))
        return lines


def left_out_line(left_out: Counter[str]) -> str:
    """Describes files that were left out, the most frequent extension first."""
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{count:,} {extension}" for extension, count in kinds)
    return f"{count_of(left_out.total(), 'file')} left out: {counts}"


def count_of(count: int, what: str) -> str:
    """Returns a number with a noun, such as `"1 file"` or `"2,000 files"`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
