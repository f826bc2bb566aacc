"""The main job on a few clips: precompute, verify through every door, inspect one feature.

    python examples/demo.py OUTPUT

What it prints are the commands that you would type, and their output.
"""

import os
import shlex
import sys
from pathlib import Path

from audiopipe.cli import app

AUDIO = Path(__file__).parent / "audio"
CONFIG = "speech-mel-80"


def run(*arguments: str) -> None:
    """Print a command of the command line and run it in this process."""
    print(f"\n$ audiopipe {shlex.join(arguments)}", flush=True)
    app(list(arguments), standalone_mode=False)


def main() -> None:
    """Run the demo."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    output.mkdir(parents=True, exist_ok=True)
    audio, features = os.path.relpath(AUDIO), str(output / "features")
    again = ["--overwrite"] if Path(features).exists() else []
    run("precompute", audio, features, "--config", CONFIG, "--num-shards", "2", *again)
    run("verify", features, "--input", audio)
    run("plot", str(Path(audio) / "speech.flac"), str(output / "feature.png"), "--config", CONFIG)


if __name__ == "__main__":
    main()
