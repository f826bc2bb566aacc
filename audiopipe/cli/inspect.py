"""The command `audiopipe inspect`."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from audiopipe import wording
from audiopipe.cli.shared_arguments import ImportOption, OutputArgument
from audiopipe.cli.terminal import UNKNOWN, add_ends, add_machine, audio_duration, console, facts_table, known
from audiopipe.wording import count_of

SHOWN_KINDS = 5
SHOWN_CLASSES = 20


def inspect(
    output: OutputArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for programs. The documentation describes its keys.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show the config, counts, metadata, failures, remarks, shards and machines of a feature set.

    If the feature set is not finished, or an update of it is not, the progress is shown as well.
    """
    from audiopipe.precompute.overview import overview

    facts = overview(output)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        console.print(_table(facts))


def _table(facts: dict[str, Any]) -> Table:
    from audiopipe.configs.standardization import Standardization

    table = facts_table()
    table.add_row("feature set", facts["path"])
    if facts["parts"]:
        table.add_row("parts", str(facts["parts"]))
    for name in ("fingerprint", "kernel_version"):
        table.add_row(name.replace("_", " "), str(facts[name]))
    for name, value in facts["config"].items():
        if name == "standardization" and value is not None:
            value = Standardization(**value)  # whose text is short
        table.add_row(name, repr(value) if name != "feature" else str(value))
    if facts["generation"]:
        table.add_row("generation", str(facts["generation"]))
    if facts["unfinished"]:
        _add_progress(table, facts)
    table.add_section()
    if facts["complete"]:
        _add_counts(table, facts["counts"])
        if facts["seconds"]:
            table.add_row("clips last", _durations(facts["seconds"]))
        table.add_row("shards", f"{facts['shards']}, {wording.size(facts['bytes'])}")
        table.add_row("statistics", "stored" if facts["statistics"] else "not stored, computed when they are needed")
    stored = facts["dtype"]
    if facts["max_error"]:
        stored += f", off by at most {facts['max_error']:g}"
    table.add_row("stored as", stored)
    for name, title in (("failures", "failure"), ("remarks", "remark")):
        _add_kinds(table, title, facts[name] or [])
    for note in facts["notes"]:
        table.add_row("note", note)
    if facts["segments"]:
        table.add_row("segments", ", ".join(f"{key}={value}" for key, value in facts["segments"].items()))
    if facts["options"]:
        table.add_row("options", ", ".join(f"{key}={value!r}" for key, value in facts["options"].items()))
    if facts["accept_truncated"]:
        table.add_row("accept_truncated", "True")
    table.add_row("metadata", ", ".join(_column(name, facts) for name in facts["metadata"]) or "none")
    for column, classes in facts["classes"].items():
        if classes["missing"] is not None:
            table.add_row(f"classes of {column}", _classes(**classes))
    for machine in facts["machines"] or []:
        table.add_section()
        add_machine(table, machine)
    return table


def _add_progress(table: Table, facts: dict[str, Any]) -> None:
    from audiopipe.precompute import progress

    unfinished = facts["unfinished"]
    parts, clips, shards, seconds = (unfinished[name] for name in ("parts", "clips", "shards", "seconds"))
    table.add_section()
    table.add_row("unfinished", "an update" if facts["complete"] else "the feature set")
    if parts:
        table.add_row("parts done", f"{parts['done']} of {parts['total']}; what follows is about the others")
    table.add_row("clips done", f"{clips['done']:,} of {clips['total']:,}")
    table.add_row("shards done", f"{shards['done']} of {shards['total']}")
    table.add_row("audio done", f"{audio_duration(seconds['done'])} of {audio_duration(seconds['total'])}")
    if unfinished["changes"]:
        table.add_row("changes", progress.changes_line(unfinished["changes"]))
    _add_kinds(table, "failure so far", unfinished["failures"])


def _add_counts(table: Table, counts: dict[str, Any]) -> None:
    table.add_row("clips", f"{counts['clips']:,}, and {count_of(counts['failures'], 'failure')}")
    table.add_row("remarks", known(counts["remarks"]))
    table.add_row("files left out", known(counts["left_out"]))
    if counts["short_recordings"] is not None:
        table.add_row("recordings shorter than a segment", str(counts["short_recordings"]))
    add_ends(table, counts)
    table.add_row("frames", f"{counts['frames']:,}")
    table.add_row("audio", audio_duration(counts["hours"] * 3600))


def _add_kinds(table: Table, title: str, kinds: list[dict[str, Any]]) -> None:
    for kind in kinds[:SHOWN_KINDS]:
        table.add_row(title, f"{kind['count']} x {kind['kind']}")
    more = sum(kind["count"] for kind in kinds[SHOWN_KINDS:])
    if more:
        table.add_row(title, f"{more} of other kinds")


def _column(name: str, facts: dict[str, Any]) -> str:
    described = [facts["metadata"][name]]
    if name in facts["classes"]:
        described.append(count_of(len(facts["classes"][name]["counts"]), "class", "classes"))
    if name in facts["fill_values"]:
        described.append(f"missing: {facts['fill_values'][name]}")
    return f"{name} ({', '.join(described)})"


def _classes(counts: dict[str, int], missing: int) -> str:
    frequent = sorted(counts.items(), key=lambda item: -item[1])
    described = [f"{count} x {name}" for name, count in frequent[:SHOWN_CLASSES]]
    others = frequent[SHOWN_CLASSES:]
    if others:
        rest = count_of(len(others), "other class", "other classes")
        described.append(f"{sum(count for _, count in others)} of {rest}")
    if missing:
        described.append(f"{missing} missing")
    return ", ".join(described)


def _durations(seconds: dict[str, Any]) -> str:
    if seconds["min"] is None:
        return UNKNOWN
    return f"{seconds['min']:.3g} s to {seconds['max']:.3g} s"
