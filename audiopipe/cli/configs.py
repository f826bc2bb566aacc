"""The command `audiopipe configs`."""

import json
from typing import Annotated

import typer
from rich.table import Table

from audiopipe.cli.shared_arguments import CONFIG_HELP, ImportOption
from audiopipe.cli.terminal import console, errors

app = typer.Typer(no_args_is_help=True, help="List registered configs, show one, or compare two.")


@app.command("list")
def list_configs(
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """List all registered names with their configs and fingerprints."""
    from audiopipe import registry

    table = Table("name", "feature", "sample rate", "bins", "fingerprint")
    for name in registry.names():
        config = registry.get(name)
        row = (name, type(config).__name__, f"{config.sample_rate} Hz", str(config.n_bins), config.fingerprint[:12])
        table.add_row(*row)
    console.print(table)


@app.command("show")
def show_config(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help=CONFIG_HELP)],
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Print a config as JSON. Save the output to a file to use it with --config."""
    from audiopipe import registry

    resolved = registry.resolve(config)
    errors.print(f"fingerprint {resolved.fingerprint}", highlight=False)
    console.print_json(json.dumps(resolved.to_dict(), sort_keys=True))


@app.command("diff")
def diff_configs(
    left: Annotated[str, typer.Argument(metavar="LEFT", help=CONFIG_HELP)],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="The config to compare with, in the same forms.")],
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show the fields in which two configs differ. The exit code is 0 if they describe the same feature, else 1."""
    from audiopipe import registry

    one, other = registry.resolve(left), registry.resolve(right)
    if one.fingerprint == other.fingerprint:
        console.print(f"The same feature, fingerprint {one.fingerprint}.", highlight=False)
        return
    console.print(one.diff(other), markup=False, highlight=False)
    raise typer.Exit(1)
