"""Prints how far each preset is from its reference: the figures that the docstrings of presets and the docs state.

    PYTHONPATH=tests python tests/front_ends/measure_agreement.py [PRESET ...]

The clips are those of `clips.signals`, and the recordings in `../shared/audio` where that folder exists. A difference
before the logarithm is in units of the maximum of its frame's spectrum. One after it counts where `agreement` judges.
"""

import itertools
import sys

import numpy as np

from front_ends import agreement, references
from front_ends.preset_outputs import RECORDINGS, outputs, recording, signals


def differences(preset, clip):
    """Returns the largest differences before and after the logarithm, and what exceeds a bound."""
    reference = references.reference(preset, clip)
    found = outputs(preset, clip)
    failures = agreement.judge(**found, reference=reference)
    mel = agreement.mel_error(found["mel"][..., 0], reference).max(initial=0) if "mel" in found else np.nan
    if not reference.logarithmic:
        return mel, np.nan, failures
    if "log" in found:
        log = found["log"][..., 0] - reference.log
    else:
        values, expected = (reference.frames_of(feature)[0] for feature in (found["feature"], reference.feature))
        log = (values - expected) / reference.gain
    judged = np.isfinite(agreement.log_bound(reference)[: len(log)])
    return mel, np.abs(log[judged]).max(initial=0), failures


def main(presets):
    print("| preset | before the logarithm | after it |\n|---|---|---|")
    for preset in presets:
        clips = [*signals(preset).values(), *(recording(path, preset) for path in RECORDINGS)]
        mels, logs, failures = zip(*(differences(preset, clip) for clip in clips), strict=True)
        unit = " dB" if references.reference(preset, clips[0]).decibels else ""
        print(f"| {preset} | {max(mels):.1e} | {max(logs):.1e}{unit} |", *itertools.chain(*failures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or references.NAMES)
