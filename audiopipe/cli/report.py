"""The command `audiopipe report`."""

from typing import Annotated

import typer

from audiopipe import wording
from audiopipe.cli import task_progress
from audiopipe.cli.shared_arguments import ImportOption
from audiopipe.cli.terminal import console


def report(
    folder: Annotated[str, typer.Argument(metavar="SET", help="Folder of the feature set, local or remote.")],
    output: Annotated[str, typer.Option("--output", "-o", help="The HTML file to write, such as report.html.")],
    sources: Annotated[
        list[str],
        typer.Option(
            "--input",
            help="The INPUT that the feature set was made from, to listen to its clips. Can be repeated. Put quotes "
            "around a glob. Default: none, so clips have no sound.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 (typer copies it)
    compare: Annotated[
        str | None, typer.Option(metavar="OTHER", help="Another feature set, to show beside the first one.")
    ] = None,
    clips: Annotated[int, typer.Option(help="Number of random clips to show.", min=0, max=100)] = 12,
    seed: Annotated[int, typer.Option(help="Seed of the choice of clips.", min=0)] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is not a report. A report is always replaced.")
    ] = False,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Write a report about a feature set: one HTML file with pictures and, with **--input**, sound.

    The file shows the config, counts, durations, class balance, statistics per bin, levels and silence, failures and
    remarks, random clips, and the most unusual clips. It needs no network and runs no scripts.
    """
    from audiopipe.inputs import SeveralInputs
    from audiopipe.plotting import write_report
    from audiopipe.storage import files

    source = SeveralInputs(sources) if len(sources) > 1 else next(iter(sources), None)
    with task_progress.shown() as show:
        write_report(
            folder,
            output,
            input=source,
            compare=compare,
            n_clips=clips,
            seed=seed,
            overwrite=overwrite,
            on_step=show,
        )
    console.print(f"{output}: {wording.size(files.size(output))}", markup=False, highlight=False)
