"""Demo on a few clips: precompute features, verify them through every door, plot one feature.

    python examples/demo.py OUTPUT

The demo prints each command as you would type it, and the output of the command.
"""

import os
import shlex
import sys
from pathlib import Path

from audiopipe.cli import app

AUDIO = Path(__file__).parent / "audio"
CONFIG = "speech-mel-80"


def run(*arguments: str) -> None:
    """Prints a command and runs it in this process."""
    print(f"\n$ audiopipe {shlex.join(arguments)}", flush=True)
    app(list(arguments), standalone_mode=False)


def main() -> None:
    """Runs the demo."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    output.mkdir(parents=True, exist_ok=True)
    audio, features = os.path.relpath(AUDIO), str(output / "features")
    again = ["--overwrite"] if Path(features).exists() else []
    run("precompute", audio, features, "--config", CONFIG, "--num-shards", "2", *again)
    run("verify", features, "--input", audio)
    run("plot", str(Path(audio) / "speech.flac"), str(output / "feature.png"), "--config", CONFIG)


if __name__ == "__main__":
    main()
