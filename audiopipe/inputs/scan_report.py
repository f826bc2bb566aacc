"""What a scan noticed beside the clips."""

from collections import Counter
from dataclasses import dataclass, field

from audiopipe.wording import count_of


@dataclass(slots=True)
class ScanReport:
    """What a scan noticed apart from the clips. `scan` fills it, and it is complete when the scan has ended.

    Args:
        left_out: Number of files that were not taken, for each extension in lower case: of a folder or a glob those
            that look like audio or video, and of several inputs also others.
        sentences: How the input was read.
        counted: Counts for sentences such as "3 clips without a label": the number by its noun and the rest of the
            sentence.

    Example:
        >>> report = ScanReport(left_out=Counter({".m4a": 2, ".webm": 1}))
        >>> report.count("audio file", "of the folder not in the manifest")
        >>> report.lines()
        ['1 audio file of the folder not in the manifest', '3 files left out: 2 .m4a, 1 .webm']
    """

    left_out: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def say(self, sentence: str) -> None:
        """Adds a sentence, without a full stop, unless it was said before."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def count(self, noun: str, rest: str, number: int = 1) -> None:
        """Adds to the number of things with something remarkable, such as `"clip", "without a label"`."""
        if number:
            self.counted[noun, rest] += number

    @property
    def notes(self) -> list[str]:
        """Everything that was noticed, apart from files that were left out."""
        return [*self.sentences, *(f"{count_of(number, noun)} {rest}" for (noun, rest), number in self.counted.items())]

    def lines(self) -> list[str]:
        """Returns everything that was noticed as lines for people to read."""
        return [*self.notes, left_out_line(self.left_out)] if self.left_out else self.notes


def left_out_line(left_out: Counter[str]) -> str:
    """Describes files that were left out, the most frequent extension first."""
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{count:,} {extension}" for extension, count in kinds)
    return f"{count_of(left_out.total(), 'file')} left out: {counts}"
