"""Program that writes the numbers of `benchmarks.speed` as tables into a page of the documentation.

    python -m benchmarks.speed_tables NUMBERS.json [docs/concepts/performance.md]

The tables replace the text between the comments `measured` and `end of what was measured`.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import definitions, modes, required, rounds
from benchmarks.required import Measured, Row

BEST = "the best of audiopipe"
PAGE = Path("docs/concepts/performance.md")
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"


def page_with(page: str, numbers: dict[str, Any]) -> str:
    """Returns the page with the tables of these numbers.

    Raises:
        ValueError: If the page does not contain both comments.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page must contain the lines {BEGIN.strip()!r} and {END.strip()!r}.")
    return f"{before}{begin}\n{tables(numbers)}\n{end}{after}"


def tables(numbers: dict[str, Any]) -> str:
    """Returns tables of the required ratios and of every mode, in Markdown."""
    found = [Measured(**measured) for measured in numbers["modes"]]
    parts = [_machine(numbers["machine"], found), _required(required.rows(found))]
    groups = {(measured.mode, measured.batch, measured.clip_seconds): None for measured in found}
    for mode, batch, clip_seconds in sorted(
        groups, key=lambda group: (group[2], modes.MODES.index(group[0]), group[1])
    ):
        own = [
            measured
            for measured in found
            if (measured.mode, measured.batch, measured.clip_seconds) == (mode, batch, clip_seconds)
        ]
        parts.append(f"### {mode}, batch {batch}, clips of {clip_seconds:g} s\n\n{_mode(own)}")
    return "\n".join(parts)


def _machine(facts: dict[str, Any], found: list[Measured]) -> str:
    versions = facts["versions"] | facts["peers"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("tensorflow", *facts["peers"]))
    loads = rounds.spread([measured.load for measured in found], ".1f")
    threads = " and ".join(str(count) for count in sorted({measured.threads for measured in found}))
    machine = f"{facts['processors']} cores of {facts['processor']}, threads {threads}"
    return f"Measured on {facts['date']} with {machine}, load {loads}; {named}.\n"


def _required(rows: list[Row]) -> str:
    """Returns a table of the required ratios, with one line per bound and contender and one column per setting."""
    settings = list(dict.fromkeys(row.setting for row in rows))
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        clip, bound = f"clips of {row.clip_seconds:g} s", f"at {'most' if row.at_most else 'least'} {row.bound}"
        for name, ratios in row.ratios.items():
            spread = rounds.spread(ratios)
            by = name if name in required.OURS else BEST
            cell = f"**{spread}**" if row.holds(name) else spread
            cells.setdefault((f"{row.title}, {clip}", bound, by), {})[row.setting] = cell
    titles = [definitions.TITLES[setting] for setting in settings]
    lines = [_line(["", "bound", "", *titles]), "|---" * (3 + len(settings)) + "|"]
    for heads, of_setting in cells.items():
        lines.append(_line([*heads, *(of_setting.get(setting, "") for setting in settings)]))
    return "\n".join(["### What must hold", "", *lines, ""])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mode(own: list[Measured]) -> str:
    """Returns a table of one mode, with one line per contender and one column per setting."""
    names = list(dict.fromkeys(name for measured in own for name in measured.times))
    lines = [_line(["", *(definitions.TITLES[measured.setting] for measured in own)]), "|---" * (len(own) + 1) + "|"]
    for name in names:
        lines.append(_line([name, *(_cell(measured, name) for measured in own)]))
    return "\n".join([*lines, ""])


def _cell(measured: Measured, name: str) -> str:
    """Formats milliseconds per clip and their ratio to the baseline."""
    if name not in measured.times:
        return ""
    times, ours = measured.times, required.baseline(measured)
    milliseconds = f"{1000 * statistics.median(times[name]):.2f} ms"
    return milliseconds if name == ours else f"{milliseconds}, {rounds.spread(rounds.ratios(times[name], times[ours]))}"


def main() -> None:
    """Replaces the tables of a page."""
    page = Path(sys.argv[2]) if len(sys.argv) > 2 else PAGE
    page.write_text(page_with(page.read_text(), json.loads(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
