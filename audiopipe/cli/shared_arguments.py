"""Arguments and options shared by several commands."""

import importlib
from typing import Annotated

import typer

from audiopipe.cli.completion import config_names
from audiopipe.errors import ArgumentError
from audiopipe.runtime import startup

DEFAULT_CONFIG = "speech-mel-80"  # of `audiopipe plot`
CONFIG_HELP = (
    "A registered name (see **audiopipe configs list**), name@fingerprint, or the path of a JSON file: of a config, or "
    "the preprocessor_config.json of a model of transformers."
)

ConfigOption = Annotated[str, typer.Option("--config", help=CONFIG_HELP, autocompletion=config_names)]
InputArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="A folder (searched for audio files), a glob, a manifest (CSV, TSV, JSON, JSONL, Parquet, Kaldi, lhotse "
        "or NeMo, whose other columns become metadata), or a folder written by datasets.Dataset.save_to_disk. Local, "
        "or remote like gs://bucket/clips. Several are read as one.",
        show_default=False,
    ),
]
OutputArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder of the feature set, local or remote.")]


def inputs_and_output(words: list[str]) -> tuple[list[str], str, list[str]]:
    """Splits the words of a command line into its inputs, its output and the flags for Apache Beam.

    Typer cannot do that, because it does not know the flags.

    Args:
        words: All words that are not options of the command, in their order. The flags come last.

    Returns:
        The inputs, the output and the flags.

    Raises:
        BadParameter: If there are fewer than two words before the flags.

    Example:
        >>> inputs_and_output(["a.wav", "b.wav", "features", "--runner=FnApiRunner"])
        (['a.wav', 'b.wav'], 'features', ['--runner=FnApiRunner'])
    """
    n_paths = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    if n_paths < 2:
        raise typer.BadParameter(f"INPUT and OUTPUT must come before other options. Received: {' '.join(words)}.")
    *sources, output = words[:n_paths]
    return sources, output, words[n_paths:]


def import_modules(modules: list[str]) -> list[str]:
    """Imports the modules given by `--import`, so that their config classes are registered.

    Returns:
        `modules`.

    Raises:
        ArgumentError: If a module cannot be imported.
    """
    for module in modules:
        try:
            with startup.quiet():  # it may import TensorFlow
                importlib.import_module(module)
        except Exception as error:  # the code of the module may raise anything
            raise ArgumentError(
                f"--import must name a module that Python can import. Received: {module!r} "
                f"({type(error).__name__}: {error}). Install its package, or add its folder to PYTHONPATH; the working "
                "directory is not searched."
            ) from error
    return modules


def _import_modules(context: typer.Context, modules: list[str]) -> list[str]:
    return modules if context.resilient_parsing else import_modules(modules)  # not while a shell completes the line


IMPORT_HELP = "Import this module first, to make your own config classes known. Can be repeated."

ImportOption = Annotated[
    list[str],
    typer.Option(
        "--import",
        metavar="MODULE",
        help=IMPORT_HELP,
        callback=_import_modules,
        show_default=False,
    ),
]
