"""Digests of the audio of clips, which show whether it has changed although its file looks different."""

from collections.abc import Callable

from audiopipe.errors import AudioError, InputError
from audiopipe.inputs import tables
from audiopipe.inputs.source import Source
from audiopipe.inputs.tables import Table
from audiopipe.storage import digests, files


def of(source: Source, open_table: Callable[[str, str | None], Table] = tables.open_table) -> bytes | None:
    """Returns the digest of the bytes of the audio file of a clip, see `audiopipe.storage.digests`.

    The file is read as a whole, whatever stretch of it the clip is.

    Args:
        source: The clip.
        open_table: Function that opens a table, given its path and the column of the audio.

    Returns:
        16 bytes. None if there is no such file, or it cannot be read.

    Raises:
        InputError: If remote storage does not respond, or a table cannot be read.

    Example:
        >>> of(Source("a", "examples/audio/chirp.wav")) == of(Source("b", "examples/audio/chirp.wav", start=1.0))
        True
        >>> of(Source("a", "examples/audio/missing.wav")) is None
        True
    """
    audio: str | bytes = source.path
    try:
        if source.row is not None:
            audio = open_table(source.path, source.column).audio(source.row)
        if isinstance(audio, bytes):
            return digests.of([audio])
        with files.open_binary(audio) as file:
            return digests.of(digests.blocks(file))
    except InputError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, AudioError):
        return None
    except (OSError, ValueError) as error:
        path = audio if isinstance(audio, str) else source.path
        if files.is_remote(path):  # without a response, the file may be as it was
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"Could not read {path!r}: {reason}. Try again.") from error
        return None  # an invalid name, or a disk that fails
