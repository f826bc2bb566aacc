"""Computes a feature and the probe in a process of its own, whose environment may differ.

    python computed_elsewhere.py RESULT CONFIG FILE [FILE ...]

RESULT is a folder. It gets `features.npz` with the feature of each file, by its path, and `machine.json` with what a
feature set records about this machine. CONFIG is the JSON of a config.
"""

import sys
from json import dumps
from pathlib import Path

import numpy as np

from audiopipe import Transform, configs
from audiopipe.transform import probe

SECONDS = 4  # of each file


def features(config, files):
    """Returns the feature of each file, by its path."""
    transform = Transform(config)
    clips = {file: transform.read(file, on_remark=lambda remark: None) for file in files}
    return {file: transform.compute(clip[: SECONDS * config.sample_rate]) for file, clip in clips.items()}


def main(result, config, *files):
    config = configs.from_json(config)
    np.savez(Path(result, "features.npz"), **features(config, files))
    Path(result, "machine.json").write_text(dumps(probe.record(config)))


if __name__ == "__main__":
    main(*sys.argv[1:])
