"""The command `audiopipe configs`."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.highlighter import JSONHighlighter

from audiopipe.cli.completion import config_names
from audiopipe.cli.shared_arguments import CONFIG_HELP, ImportOption
from audiopipe.cli.terminal import VerbatimTable, console, print_fact
from audiopipe.wording import count_of

SOURCE_HELP = (
    f"{CONFIG_HELP[:-1]}; or something that carries a config: the folder of a feature set, a .keras file, a "
    "SavedModel, or a Parquet file of features."
)

OTHERS = "registered by you"

app = typer.Typer(no_args_is_help=True, help="List registered configs, show one, compare two, or add one.")


@app.command("list")
def list_configs(
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """List all registered names by family, with their fingerprints and what each is for."""
    from audiopipe import registry
    from audiopipe.configs.presets import families

    purposes = families()
    others = sorted(set(registry.names()) - {name for family in purposes.values() for name in family})
    table = VerbatimTable(show_header=False, box=None)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for family, names in (purposes | {OTHERS: {name: "" for name in others}}).items():
        if names:
            table.add_row(family)
        for name, purpose in names.items():
            config = registry.get(name)
            row = (f"{config.sample_rate} Hz", count_of(config.n_bins, "bin"), config.fingerprint[:12])
            table.add_row(f"  {name}", *row, purpose or type(config).__name__)
    console.print(table)


@app.command("show")
def show_config(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP, autocompletion=config_names)],
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Print a config as JSON. Save the output to a file to use it with --config.

    If SOURCE holds features, a SavedModel or a model with a stamp, which keep a kernel version, it is shown as well. Of
    a model, it is shown whether its front end or its stamp records the config.
    """
    from audiopipe.feature_sets import fingerprints

    identity = fingerprints.identity_of(source)
    print_fact(f"fingerprint {identity.fingerprint}")
    if identity.origin is not None:
        print_fact(f"recorded by the {identity.origin} of the model")
    if identity.frozen:
        print_fact(f"kernel version {identity.kernel_version}{_difference(identity)}")
    if identity.config.standardization is not None:
        print_fact(f"normalized by {identity.config.standardization!r}")
        print_fact(f"fingerprint without normalization {identity.config.without_normalization.fingerprint}")
    console.print(JSONHighlighter()(_json_text(identity.config.to_dict())), soft_wrap=True)


@app.command("diff")
def diff_configs(
    left: Annotated[str, typer.Argument(metavar="LEFT", help=SOURCE_HELP, autocompletion=config_names)],
    right: Annotated[
        str,
        typer.Argument(metavar="RIGHT", help="What to compare with, in the same forms.", autocompletion=config_names),
    ],
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show the fields in which two configs differ. The exit code is 0 if they describe the same feature, else 1."""
    from audiopipe.feature_sets import fingerprints

    one, other = fingerprints.identity_of(left), fingerprints.identity_of(right)
    if one.fingerprint == other.fingerprint:
        console.print(f"The same feature, fingerprint {one.fingerprint}.", highlight=False)
        return
    difference = one.config.diff(other.config, other.kernel_version, one.kernel_version)
    console.print(difference, markup=False, highlight=False)
    raise typer.Exit(1)


@app.command("add")
def add_config(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name, of letters, digits, '.', '_' and '-'.")],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A JSON file with one config, or the preprocessor_config.json of a model."),
    ],
    registry_file: Annotated[
        str | None,
        typer.Option(
            "--registry",
            metavar="PATH",
            help="The registry file to add the name to. By default, it is the first one in AUDIOPIPE_REGISTRY or, if "
            "this variable is not set, **~/.config/audiopipe/registry.json**.",
        ),
    ] = None,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Register the config in FILE as NAME, for all later commands and programs.

    A name never changes its meaning, so a NAME that belongs to another config is refused.
    """
    from audiopipe import registry

    config = registry.resolve(file)
    written = registry.add(name, config, registry_file)
    if written is None:
        print_fact(f"{name} is this config already, from {registry.source(name)}. Nothing was written.")
        return
    print_fact(f"added {name} (fingerprint {config.fingerprint[:12]}) to {written}")
    if os.path.abspath(written) not in map(os.path.abspath, registry.registry_files()):
        print_fact(f"Commands and programs know the name if {registry.ENVIRONMENT_VARIABLE} lists this file.")


def _json_text(content: dict[str, Any]) -> str:
    """Returns indented JSON with the numbers of a list on one line, because a normalized config has hundreds."""
    text = json.dumps(content, sort_keys=True, indent=2)
    return re.sub(r"\[[^][{}\"]+\]", lambda numbers: f"[{' '.join(numbers[0][1:-1].split())}]", text)


def _difference(identity: Any) -> str:
    """Returns how a saved kernel version differs from that of this release, for the end of a line."""
    now = identity.config.kernel_version
    if identity.kernel_version == now:
        return ""
    return f", but this release computes kernel version {now}, whose fingerprint is {identity.config.fingerprint}"
