"""Arguments and options shared by several commands."""

import importlib
from typing import Annotated

import typer

from audiopipe.errors import ArgumentError

CONFIG_HELP = "A registered name (see **audiopipe configs list**), name@fingerprint, or the path of a JSON file."

InputArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A folder (searched for audio files), a glob in quotes, a CSV or JSONL manifest with a column **path** "
        "and optionally **id** (other columns become metadata), a Parquet file, or a folder written by "
        "datasets.Dataset.save_to_disk. Local, or remote like gs://bucket/clips.",
    ),
]
OutputArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder of the feature set, local or remote.")]


def import_modules(modules: list[str]) -> list[str]:
    """Imports the modules given by `--import`, so that their config classes are registered.

    Returns:
        `modules`.

    Raises:
        ArgumentError: If a module cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # the code of the module may raise anything
            raise ArgumentError(
                f"--import must name a module that Python can import. Received: {module!r} "
                f"({type(error).__name__}: {error}). Install its package, or add its folder to PYTHONPATH; the working "
                "directory is not searched."
            ) from error
    return modules


ImportOption = Annotated[
    list[str],
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import this module first, to make your own config classes known. Can be repeated.",
        callback=import_modules,
        show_default=False,
    ),
]
