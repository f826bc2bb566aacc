"""Draws the pictures of the pages about plotting and normalization, with the command line.

    python docs/images/draw_plots.py

The pictures are saved beside this file as `demo.png` and `statistics.png`.
"""

import os
import tempfile
from pathlib import Path

from audiopipe.cli import app

IMAGES = Path(__file__).resolve().parent
AUDIO = IMAGES.parents[1] / "examples" / "audio"
CONFIG = "speech-mel-80"


def run(*arguments: str | Path) -> None:
    """Runs a command of audiopipe in this process."""
    app([str(argument) for argument in arguments], standalone_mode=False)


def main() -> None:
    """Draws and saves the pictures."""
    run("plot", AUDIO / "speech.flac", IMAGES / "demo.png", "--config", CONFIG, "--config", "whisper-80")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the title of the statistics is the path of the set
        run("precompute", AUDIO, "features", "--config", CONFIG)
        run("stats", "features", "--plot", IMAGES / "statistics.png")
        os.chdir(IMAGES)


if __name__ == "__main__":
    main()
