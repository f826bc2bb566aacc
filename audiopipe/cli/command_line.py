"""Command line. Commands import heavy libraries only when they run, so `--help` is fast."""

import sys

import typer

from audiopipe.cli import compare, configs, inspect, machine, merge, plot, precompute, report, stats, verify
from audiopipe.cli.terminal import exit_now, print_error
from audiopipe.errors import AudiopipeError, StalledError, TooManyFailuresError

TOO_MANY_FAILURES = 3  # exit code

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Describe an audio feature once, compute it anywhere, and get the same bits.",
)
app.command(**precompute.SETTINGS)(precompute.precompute)
app.command()(merge.merge)
app.command()(verify.verify)
app.command()(inspect.inspect)
app.command()(stats.stats)
app.command()(compare.compare)
app.command()(machine.machine)
app.add_typer(configs.app, name="configs")
app.command()(plot.plot)
app.command()(report.report)


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
