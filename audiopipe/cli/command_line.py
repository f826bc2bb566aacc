"""Command line. Commands import heavy libraries only when they run, so `--help` is fast."""

import sys
from typing import Annotated

import typer

from audiopipe.cli import compare, configs, inspect, machine, merge, plot, precompute, report, stats, verify
from audiopipe.cli.suggestions import BeamCommand, SuggestingCommand
from audiopipe.cli.terminal import exit_now, print_error
from audiopipe.errors import AudiopipeError, StalledError, TooManyFailuresError

TOO_MANY_FAILURES = 3  # exit code

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Describe an audio feature once, compute it anywhere, and get the same bits.",
)
app.command(cls=BeamCommand, **precompute.SETTINGS)(precompute.precompute)
app.command(cls=SuggestingCommand)(merge.merge)
app.command(cls=SuggestingCommand)(verify.verify)
app.command(cls=SuggestingCommand)(inspect.inspect)
app.command(cls=SuggestingCommand)(stats.stats)
app.command(cls=SuggestingCommand)(compare.compare)
app.command(cls=SuggestingCommand)(machine.machine)
app.add_typer(configs.app, name="configs")
app.command(cls=SuggestingCommand)(plot.plot)
app.command(cls=SuggestingCommand)(report.report)


def _print_version(wanted: bool) -> None:
    if wanted:
        import audiopipe

        typer.echo(f"audiopipe {audiopipe.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", callback=_print_version, is_eager=True, metavar=""
        ),
    ] = False,
) -> None:
    """Takes the options that come before a command."""


def main(commands: typer.Typer = app) -> None:
    """Runs the command line. Prints audiopipe's own errors without a traceback.

    The exit code is 1 for an error, 3 if too many clips failed, and 130 for Ctrl-C.

    Args:
        commands: The Typer application to run.
    """
    try:
        commands()
    except AudiopipeError as error:
        print_error(error)
        if isinstance(error, StalledError):
            exit_now(1)
        sys.exit(TOO_MANY_FAILURES if isinstance(error, TooManyFailuresError) else 1)
