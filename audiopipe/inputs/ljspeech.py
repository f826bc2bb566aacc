"""Metadata of LJSpeech: lines `id|text|normalized text` without a header, with the audio in `wavs/`."""

from collections.abc import Iterator
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import text_files
from audiopipe.inputs.extensions import AUDIO_EXTENSIONS
from audiopipe.storage import files

FOLDER = "wavs"
TEXTS = ("text", "normalized_text")


def rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Reads the metadata of LJSpeech, or of a dataset in the same form.

    Args:
        path: The file `metadata.csv`.

    Yields:
        The number of each line, and a row with `id`, `path`, `text` and, if the line has it, `normalized_text`.

    Raises:
        InputError: If a line has no id or no text, or more than two texts.
    """
    extension = None
    for number, line in enumerate(text_files.lines(path), start=1):
        if not line.strip():
            continue
        name, *texts = line.rstrip("\r\n").split("|")
        if not name or not 1 <= len(texts) <= len(TEXTS):
            raise InputError(
                f"{path!r}, line {number}: expected an id, a text and a normalized text with '|' between them, as in "
                f"LJSpeech. Received: {line.strip()[:60]!r}. A file with other columns needs their names in its first "
                "line."
            )
        if name.lower().endswith(AUDIO_EXTENSIONS):
            audio = name
        else:
            extension = extension or _extension(files.join(path[: path.rfind("/") + 1], FOLDER, name))
            audio = name + extension
        yield number, {"id": name, "path": f"{FOLDER}/{audio}", **dict(zip(TEXTS, texts, strict=False))}


def matches(path: str, first: str) -> bool:
    """Returns whether a file with the given first line has the form of LJSpeech."""
    folder = path[: path.rfind("/") + 1]
    return path.endswith("/metadata.csv") and "|" in first and files.is_folder(files.join(folder, FOLDER))


def _extension(stem: str) -> str:
    """Returns the extension that the audio of the first line has."""
    names = sorted(AUDIO_EXTENSIONS, key=".wav".__ne__)
    return next((extension for extension in names if files.exists(stem + extension)), ".wav")
