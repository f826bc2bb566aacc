"""Recordings of several formats, and their features by the `transform` fixture of each test file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

AUDIO = Path(__file__).parents[2] / "examples" / "audio"
FILES = ["beat.aiff", "chirp.wav", "speech.flac", "music/strings-stereo.ogg", "music/strings.mp3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of links to a few clips, and a clip shorter than half a Fourier transform."""
    folder = tmp_path_factory.mktemp("clips")
    for name in FILES:
        (folder / Path(name).name).symlink_to(AUDIO / name)
    soundfile.write(folder / "short.wav", np.linspace(-0.5, 0.5, 100), 16000, subtype="FLOAT")
    return folder


@pytest.fixture(scope="module")
def expected(transform, folder):
    return {path.name: transform(transform.read(path)) for path in sorted(folder.iterdir())}
