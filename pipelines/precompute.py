"""Program that computes the features of many clips and writes them as a feature set.

    python -m pipelines.precompute INPUT OUTPUT --config NAME [Beam options]

It accepts the options of `audiopipe precompute`.
"""

import typer

from audiopipe import cli
from audiopipe.cli import precompute

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
app.command(**precompute.SETTINGS)(precompute.precompute)

if __name__ == "__main__":
    cli.main(app)
