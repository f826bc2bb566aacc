"""The command `audiopipe machine`."""

import json
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiopipe.cli.shared_arguments import ImportOption
from audiopipe.cli.terminal import add_machine, console, facts_table, print_fact
from audiopipe.runtime import startup

if TYPE_CHECKING:
    from audiopipe.feature_sets.machine_checks import MachineCheck

NOT_COMPARED = "cannot be compared: that machine recorded no probe of this feature and this release."


def machine(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Folder of a feature set, or a model with a stamp, local or remote.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for programs. The documentation describes its keys.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Compare the machines that computed a feature set, or what a model was trained on, with this one.

    Computes the feature of three short files that come with audiopipe, the probe, and compares it with what each of
    those machines computed. The exit code is 0 only if every bit of every machine agrees.
    """
    from audiopipe.feature_sets import carrier_files
    from audiopipe.runtime import machine_facts

    startup.tensorflow()
    is_model = source.endswith(".keras") or carrier_files.is_saved_model(source)
    here = machine_facts.machine()
    checks = _of_model(source) if is_model else _of_set(source)
    agrees = bool(checks) and all(item.verdict is not None and item.verdict.agrees for item in checks)
    if as_json:
        facts = {"path": source, "agrees": agrees, "here": here, "machines": list(map(_described, checks))}
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(here, checks, "model" if is_model else "feature set")
    if not agrees:
        raise typer.Exit(1)


def _of_set(path: str) -> "list[MachineCheck]":
    from audiopipe.feature_sets import machine_checks, parted_sets

    found = parted_sets.opened(path)
    machines: list[dict[str, Any]] = []
    for description in found:
        machines.extend(machine for machine in description.machines if machine not in machines)
    return machine_checks.check(machines, found[0].config, found[0].kernel_version, always=True)


def _of_model(path: str) -> "list[MachineCheck]":
    from audiopipe.feature_sets import fingerprints, machine_checks

    return [
        found
        for stamp in fingerprints.stamps_of(path)
        for found in machine_checks.check(stamp.machines, stamp.config, stamp.kernel_version, always=True)
    ]


def _print(here: dict[str, Any], checks: "list[MachineCheck]", what: str) -> None:
    from audiopipe.transform import probe

    table = facts_table()
    table.add_row("machine", "this one")
    add_machine(table, here)
    for number, item in enumerate(checks, 1):
        table.add_section()
        table.add_row("machine", f"{number} of the {what}")
        for different in item.different:
            table.add_row("differs in", different)
        if not item.different:
            table.add_row("differs in", "nothing that is recorded")
        if item.verdict is not None:
            for file in item.verdict.files:
                table.add_row(file.name, file.text)
        table.add_row("verdict", f"{probe.SUBJECT} {NOT_COMPARED if item.verdict is None else item.verdict.text}")
    console.print(table)
    if not checks:
        print_fact(f"The {what} does not record which machines computed its features.")


def _finite(value: float | None) -> float | None:
    """Returns a number, or None instead of an infinity, which JSON does not have."""
    return value if value is not None and math.isfinite(value) else None


def _described(item: "MachineCheck") -> dict[str, Any]:
    """Returns what JSON says about a machine: the facts without the values of the probe, and the verdict."""
    from audiopipe.transform import probe

    verdict = item.verdict
    files = [] if verdict is None else verdict.files
    return {
        "facts": probe.without_values(item.facts),
        "different": list(item.different),
        "agrees": None if verdict is None else verdict.agrees,
        "max_difference": None if verdict is None else _finite(verdict.max_difference),
        "decibels": None if verdict is None else _finite(verdict.decibels),
        "text": None if verdict is None else f"{probe.SUBJECT} {verdict.text}",
        "probes": {
            file.name: {"differs_from": file.step, "max_difference": _finite(file.max_difference)} for file in files
        },
    }
