"""Terminal output: tables and text on standard output, errors and progress on standard error."""

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audiopipe.wording import count_of, noun_of

UNKNOWN = "not recorded"
PIPED_WIDTH = 200  # columns of output that is piped, so that tables are not folded to the width of a screen

console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True)


class VerbatimTable(Table):
    """Table that shows text as it is: `[noise]` is no markup, and bytes that are not UTF-8 are escaped."""

    def add_row(self, *cells: Any, **settings: Any) -> None:
        """Adds a row of values."""
        super().add_row(*(Text(str(cell).encode("utf-8", "backslashreplace").decode()) for cell in cells), **settings)


def facts_table() -> VerbatimTable:
    """Returns an empty table with a column of names and a column of values."""
    table = VerbatimTable(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def add_ends(table: Table, counts: Mapping[str, Any]) -> None:
    """Adds rows about audio that was left out at the ends of clips, and about padding, if there was any.

    Args:
        table: The table.
        counts: The counts of a feature set.
    """
    clips, short = counts.get("cut_clips"), counts.get("short_recordings")
    if counts.get("dropped_seconds"):
        where = [f"{noun_of(clips, 'the end', 'the ends')} of {count_of(clips, 'clip')}"] if clips else []
        where += ["recordings shorter than a segment"] if short else []
        table.add_row("audio left out", f"{_exact(counts['dropped_seconds'])}: {' and '.join(where)}")
    if counts.get("padded_seconds"):
        table.add_row("padding of last segments", _exact(counts["padded_seconds"]))


def add_machine(table: Table, machine: Mapping[str, Any]) -> None:
    """Adds rows about a machine: its CPU, the settings of oneDNN and soxr, and versions of libraries.

    Args:
        table: The table.
        machine: What a feature set records about the machine.
    """
    table.add_row("CPU family", known(machine.get("cpu_family")))
    table.add_row("instruction sets", known(machine.get("instruction_sets")))
    onednn = machine.get("onednn")
    table.add_row("oneDNN", UNKNOWN if onednn is None else "on" if onednn else "off")
    table.add_row("oneDNN limited to", known(machine.get("onednn_max_isa")))
    table.add_row("SIMD of soxr", known(machine.get("soxr_simd")))
    for name, version in machine["versions"].items():
        table.add_row(name, known(version))
    if "probe" in machine:
        table.add_row("probe", machine["probe"]["digest"][:16])


def known(value: Any) -> str:
    """Returns a value as text, or says that older releases did not record it."""
    return UNKNOWN if value is None else str(value)


def _exact(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds < 600 else audio_duration(seconds)


def print_error(error: Exception) -> None:
    """Prints an error to standard error, without a traceback."""
    errors.print(f"[bold red]{type(error).__name__}[/]:", end=" ")
    errors.print(str(error), markup=False, highlight=False, soft_wrap=True)


def print_fact(text: str) -> None:
    """Prints a line to standard error verbatim, without markup or folding."""
    errors.print(text, markup=False, highlight=False, soft_wrap=True)


def audio_duration(seconds: float) -> str:
    """Formats a duration of audio in seconds or hours."""
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 3600:.2f} h"


def exit_now(code: int) -> NoReturn:
    """Ends the process at once. A normal exit would wait for threads, which may hang while they read a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
