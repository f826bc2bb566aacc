"""Columns that name a stretch of a recording: its start and its end or duration, in seconds."""

import decimal
import functools
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs.scan_report import ScanReport

# Names of a start, and the names of the end that belong to each. Units and the word "time" are removed before.
ENDS = {
    "start": ("end", "stop"),
    "begin": ("end", "stop"),
    "segment_start": ("segment_end",),
    "seg_start": ("seg_end",),
    "clip_start": ("clip_end",),
    "time_start": ("time_end",),
    "t_start": ("t_end",),
    "tmin": ("tmax",),
}
DURATIONS = ("duration", "dur")
OPEN_DURATION = -1  # NeMo and Kaldi write it where a stretch reaches to the end of the recording
_SECONDS = re.compile(r"_?(\((s|sec|seconds)\)|\[(s|sec|seconds)\]|_s|_sec|_secs|_second|_seconds)$")
_OTHER_UNITS = re.compile(r"_?(\(ms\)|\[ms\]|_ms|_msec|_millis|_milliseconds|_samples?|_frames?)$")
_WORD_TIME = re.compile(r"_?(time|timestamp)$")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Stretch of a recording.

    Args:
        start: Start in seconds.
        end: End in seconds. None if the stretch reaches to the end of the recording.
        name: Start and end as text, for the id of a clip: `"2.0-3.5"`, or `"2.0-"` without an end.
    """

    start: float
    end: float | None
    name: str


@dataclass(frozen=True, slots=True)
class _Form:
    start: str
    other: str
    is_duration: bool


class StretchColumns:
    """Finds the stretches in the rows of a manifest or a table.

    Args:
        report: Gets the number of stretches, and of rows that seem to name one and do not.

    Example:
        >>> columns = StretchColumns(ScanReport())
        >>> columns.of({"offset": "2.0", "duration": "1.50"}, "line 2")
        Stretch(start=2.0, end=3.5, name='2.0-3.50')
        >>> columns.of({"duration": 1.5}, "line 3") is None
        True
    """

    def __init__(self, report: ScanReport) -> None:
        self._report = report

    def of(self, row: dict[str, Any], where: str) -> Stretch | None:
        """Returns the stretch that a row names, or None if it stands for the whole recording.

        Args:
            row: The columns of the row.
            where: Location of the row, for the error message.

        Raises:
            InputError: If a value is not a number, the start is negative, the end is not behind the start, or two
                pairs of columns name different stretches.
        """
        forms, unused = _forms(tuple(row))
        if unused:
            reason = "has no end or duration beside it" if len(unused) == 1 else "are not in seconds"
            names = " and ".join(map(repr, unused))
            self._report.count("clip", f"from whole recordings, because {names} {reason}")
        found: tuple[_Form, Stretch] | None = None
        for form in forms:
            stretch = _stretch(row, form, where)
            if stretch is None:
                continue
            if found is not None and (found[1].start, found[1].end) != (stretch.start, stretch.end):
                first = found[0]
                raise InputError(
                    f"{where}: a clip is one stretch of a recording. Received two: {first.start} and {first.other} "
                    f"name {found[1].name}, {form.start} and {form.other} name {stretch.name}. Rename two columns."
                )
            found = found or (form, stretch)
        if found is None:
            return None
        self._report.count("clip", _used(found[0]))
        return found[1]


def stretch_of(start: Any, end: Any, where: str) -> Stretch:
    """Returns the stretch between two times in seconds, where None or -1 as an end is the end of the recording.

    Raises:
        InputError: If a value is not a number, the start is negative, or the end is not behind the start.
    """
    stretch = _stretch({"start": start, "end": end}, _Form("start", "end", is_duration=False), where)
    if stretch is None:
        raise InputError(f"{where}: a stretch needs a start. Received: start={start!r}.")
    return stretch


@functools.lru_cache(maxsize=1024)
def _used(form: _Form) -> str:
    return f"from stretches of recordings, which the columns {form.start!r} and {form.other!r} name"


@functools.lru_cache(maxsize=1024)
def _forms(names: tuple[str, ...]) -> tuple[tuple[_Form, ...], tuple[str, ...]]:
    """Returns the pairs of columns that name stretches, and columns that look like a stretch and name none."""
    plain: dict[str, str] = {}
    for name in sorted(names, key=len):  # beside `start` and `end`, `start_time` is something else
        plain.setdefault(_plain(name, _SECONDS), name)
    duration = next((plain[name] for name in DURATIONS if name in plain), None)
    forms: list[_Form] = []
    lone: tuple[str, ...] = ()
    # The offset of an event, beside its onset, is its end.
    starts = ["offset", *ENDS] if "onset" not in plain else list(ENDS)
    for start in starts:
        if start not in plain:
            continue
        end = next((plain[name] for name in ENDS.get(start, ()) if name in plain), None)
        if end is not None:
            forms.append(_Form(plain[start], end, is_duration=False))
        elif duration is not None:
            forms.append(_Form(plain[start], duration, is_duration=True))
        else:
            lone = (plain[start],)
    if forms:
        return tuple(forms), ()
    other = {_plain(name, _OTHER_UNITS): name for name in names if _OTHER_UNITS.search(_snake(name))}
    for start, ends in ENDS.items():
        for end in ends:
            if start in other and end in other:
                return (), (other[start], other[end])
    return (), lone


def _snake(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[\s_-]+", "_", words)


def _plain(name: str, unit: re.Pattern[str]) -> str:
    words = unit.sub("", _snake(name))
    return _WORD_TIME.sub("", words) or words


def _stretch(row: dict[str, Any], form: _Form, where: str) -> Stretch | None:
    if isinstance(row[form.start], list) or isinstance(row[form.other], list):
        return None  # times of events
    start, other = _number(row, form.start, where), _number(row, form.other, where)
    if other == OPEN_DURATION:
        other = None
    if start is None:
        if other is None or form.is_duration:
            return None
        raise InputError(
            f"{where}: {form.other} needs {form.start} beside it. Received: {form.start}={row[form.start]!r}, "
            f"{form.other}={row[form.other]!r}. Write {form.start}=0 for the start of the recording."
        )
    end = start + other if form.is_duration and other is not None else other
    if start < 0 or (end is not None and end <= start):
        raise InputError(
            f"{where}: a stretch must start at 0 seconds or later and end after its start. Received: "
            f"{form.start}={row[form.start]!r}, {form.other}={row[form.other]!r}. Fix the numbers, or rename the "
            "columns if they are no stretch."
        )
    name = f"{start:f}-" if end is None else f"{start:f}-{end:f}"
    return Stretch(float(start), None if end is None else float(end), name)


def _number(row: dict[str, Any], column: str, where: str) -> Decimal | None:
    """Returns a number of seconds exactly as it is written, so that ids and ends have no errors of rounding."""
    value = row[column]
    text = value.strip() if isinstance(value, str) else "" if value is None else repr(value)
    if not text or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, Decimal):
        text = str(value)
    try:
        number = Decimal("nan" if "_" in text or isinstance(value, bool) else text)
    except decimal.InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or not -30 < number.adjusted() < 15:
        raise InputError(
            f"{where}: {column} must be a number of seconds, such as 12.5, because it names a stretch of the "
            f"recording. Received: {column}={value!r}. Write seconds, or rename the column if it is no stretch."
        )
    return abs(number) if number.is_zero() else number
