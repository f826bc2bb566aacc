"""Tables of facts about feature sets: counts, the config, how they are stored, and the machines that computed them."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from audiopipe import registry, wording
from audiopipe.configs.base import Config
from audiopipe.errors import AudiopipeError
from audiopipe.plotting import bin_axis
from audiopipe.plotting.reports.durations import frame_step
from audiopipe.plotting.reports.sides import Side
from audiopipe.transform import probe

UNKNOWN = "not recorded"
NO_BREAK = "\N{NO-BREAK SPACE}"
_UNIT = re.compile(r"(?<=\d) (?=(?:Hz|ms|s|min|h|%|bins?)(?!\w))")
_MACHINE = {"cpu_family": "CPU", "onednn_max_isa": "oneDNN limited to", "soxr_simd": "SIMD of soxr"}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        name: What the values are.
        values: A value of each feature set.
        is_quiet: Whether the values are what one would expect, such as defaults.
        anchor: Anchor of the section that says more. Empty if there is none.
    """

    name: str
    values: list[str]
    is_quiet: bool = False
    anchor: str = ""

    @property
    def differs(self) -> bool:
        """Whether the feature sets have different values."""
        return len(set(self.values)) > 1


def figures(sides: Sequence[Side]) -> list[Row]:
    """Returns the key figures."""
    return [
        _row("clips", sides, lambda side: f"{len(side.feature_set):,}"),
        _row("audio", sides, lambda side: wording.duration(3600 * side.hours)),
        _row("median clip", sides, lambda side: seconds(side.durations.median) if len(side.feature_set) else "none"),
        _row("frames", sides, _frames),
        Row("failures", [f"{side.failures.total:,}" for side in sides], anchor="failures"),
        Row("remarks", [f"{side.remarks.total:,}" for side in sides], anchor="failures"),
        _row("on disk", sides, lambda side: wording.size(_bytes(side))),
    ]


def sentence(config: Config) -> str:
    """Describes the feature of a config in one sentence.

    Example:
        >>> sentence(registry.get("speech-mel-80")).replace(NO_BREAK, " ")
        'Decibels in 80 bins from 37 Hz to 7,699 Hz, a frame every 10 ms, from audio at 16,000 Hz mixed down ...'
    """
    bins = wording.count_of(config.n_bins, "bin")
    if bin_axis.bin_label(config) != "coefficient" and config.n_bins > 1:
        low, high = config.frequencies().min(), config.frequencies().max()
        bins += f" from {low:,.0f} Hz to {high:,.0f} Hz"
    elif config.n_bins > 1:
        bins = wording.count_of(config.n_bins, "coefficient")
    if config.channel is not None:
        channels = f", channel {config.channel}"
    elif config.channels == 1:
        channels = " mixed down to one channel"
    else:
        channels = " with any number of channels" if config.channels is None else f" with {config.channels} channels"
    quantity = " and ".join("decibels" if quantity == "decibel" else quantity for quantity in config.quantities)
    step = f"{1000 * frame_step(config):.4g} ms"
    told = (
        f"{quantity[0].upper()}{quantity[1:]} in {bins}, a frame every {step}, from audio at "
        f"{config.sample_rate:,} Hz{channels}."
    )
    return with_units(told)


def with_units(text: str) -> str:
    """Returns text in which a number and its unit stay on one line.

    Example:
        >>> with_units("They last 1 s to 3.5 s.") == f"They last 1{NO_BREAK}s to 3.5{NO_BREAK}s."
        True
    """
    return _UNIT.sub(NO_BREAK, text)


def config_rows(sides: Sequence[Side]) -> list[Row]:
    """Returns a row for each field of the configs. Fields that differ come first, and defaults are quiet."""
    fields = [_fields(side.config) for side in sides]
    names = list(dict.fromkeys(name for found in fields for name in found))
    rows = []
    for name in names:
        values = [str(found[name]) if name in found else "no such field" for found in fields]
        is_quiet = all(_is_default(side.config, name) for side in sides)
        rows.append(Row(name, values, is_quiet))
    return sorted(rows, key=lambda row: (not row.differs, row.is_quiet))


def identity_rows(sides: Sequence[Side]) -> list[Row]:
    """Returns the rows that say which feature it is."""
    return [
        _row("class", sides, lambda side: type(side.config).feature_name()),
        _row("registered as", sides, lambda side: ", ".join(_names(side.config)) or "no name in this registry"),
        _row("fingerprint", sides, lambda side: side.feature_set.fingerprint),
        _row("kernel version", sides, lambda side: str(side.feature_set.kernel_version)),
    ]


def storage_rows(sides: Sequence[Side]) -> list[Row]:
    """Returns the rows that say how the feature sets are stored and what they were made from."""
    rows = [
        _row("folder", sides, lambda side: "\n".join(_folders(side))),
        _row("generation", sides, lambda side: _joined({item.generation for item in side.feature_set.descriptions})),
        _row("parts", sides, lambda side: str(len(side.feature_set.paths)) if side.feature_set.whole else "none"),
        _row("stored as", sides, _dtype),
        _row("shards", sides, lambda side: f"{sum(len(item.shards) for item in side.feature_set.descriptions):,}"),
        _row("statistics", sides, lambda side: "stored" if _has_statistics(side) else "not stored"),
        _row("segments", sides, _segments),
        _row("truncated audio", sides, lambda side: "accepted" if side.feature_set.accept_truncated else "refused"),
        _row("files left out", sides, lambda side: _count(side, "left_out")),
    ]
    counts: dict[str, tuple[str, Callable[[float], str]]] = {
        "short_recordings": ("recordings shorter than a segment", lambda value: f"{value:,}"),
        "cut_clips": ("clips whose end was left out", lambda value: f"{value:,}"),
        "dropped_seconds": ("audio left out", lambda value: f"{value:,.4g} s"),
        "padded_seconds": ("padding of last segments", lambda value: f"{value:,.4g} s"),
    }
    for key, (name, shown) in counts.items():
        if any(side.feature_set.counts.get(key) for side in sides):
            rows.append(Row(name, [shown(side.feature_set.counts.get(key, 0)) for side in sides]))
    rows.append(_row("options of the input", sides, _options))
    rows.append(_row("notes", sides, lambda side: "\n".join(_notes(side)) or "none"))
    return [row for row in rows if row.name not in ("parts", "segments", "notes") or set(row.values) != {"none"}]


def machines(side: Side) -> list[list[Row]]:
    """Returns the facts about each kind of machine that computed features of a feature set."""
    tables = []
    for machine in map(probe.without_values, side.feature_set.machines):
        onednn = machine.get("onednn")
        versions = ", ".join(f"{name} {version}" for name, version in (machine.get("versions") or {}).items())
        facts = {
            **{name: _known(machine.get(key)) for key, name in _MACHINE.items()},
            "instruction sets": _known(machine.get("instruction_sets")),
            "oneDNN": UNKNOWN if onednn is None else "on" if onednn else "off",
            "versions": versions or UNKNOWN,
        }
        tables.append([Row(name, [value]) for name, value in facts.items()])
    return tables


def seconds(value: float) -> str:
    """Formats a duration of a clip.

    Example:
        >>> seconds(0.0421), seconds(3.14159), seconds(75), seconds(5400)
        ('0.042 s', '3.1 s', '75 s', '1.5 h')
    """
    return f"{value:.2g} s" if value < 10 else wording.duration(value)


def _row(name: str, sides: Sequence[Side], value: Callable[[Side], str]) -> Row:
    return Row(name, [value(side) for side in sides])


def _frames(side: Side) -> str:
    return f"{side.n_frames:,}"


def _bytes(side: Side) -> int:
    return sum(shard["bytes"] for item in side.feature_set.descriptions for shard in item.shards)


def _fields(config: Config) -> dict[str, Any]:
    return {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}


def _is_default(config: Config, name: str) -> bool:
    defaults = {item.name: item.default for item in dataclasses.fields(config)}
    return name in defaults and defaults[name] == getattr(config, name)


def _names(config: Config) -> list[str]:
    """Returns the names of a config in the registry of this process."""
    try:
        return [name for name in registry.names() if registry.get(name) == config]
    except AudiopipeError:  # a file of the user's registry is damaged, which does not concern the report
        return []


def _folders(side: Side) -> list[str]:
    return [side.feature_set.whole] if side.feature_set.whole else side.feature_set.paths


def _dtype(side: Side) -> str:
    rounded = f", off by at most {side.feature_set.max_error:g}" if side.feature_set.max_error else ""
    return f"{side.feature_set.dtype}{rounded}"


def _has_statistics(side: Side) -> bool:
    return all(description.statistics_file is not None for description in side.feature_set.descriptions)


def _segments(side: Side) -> str:
    found = [description.segments for description in side.feature_set.descriptions]
    return "\n".join(dict.fromkeys("none" if one is None else _settings(one.to_dict()) for one in found))


def _options(side: Side) -> str:
    found = [_settings(description.options.to_dict()) for description in side.feature_set.descriptions]
    return "\n".join(dict.fromkeys(found)) or "defaults"


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items() if value is not None)


def _notes(side: Side) -> list[str]:
    return list(dict.fromkeys(note for description in side.feature_set.descriptions for note in description.notes))


def _count(side: Side, name: str) -> str:
    value = side.feature_set.counts.get(name)
    return UNKNOWN if value is None else f"{value:,}"


def _known(value: Any) -> str:
    if value is None:
        return UNKNOWN
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _joined(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))
