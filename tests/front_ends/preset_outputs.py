"""What presets compute from the clips that they are compared with their references on."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audiopipe import Transform, configs, registry
from front_ends import clips, references

RECORDINGS = sorted(
    path for path in (Path(__file__).parents[3] / "shared" / "audio").glob("*") if path.suffix in {".mp3", ".wav"}
)

# What a config has without the steps that follow the logarithm, and without the logarithm.
LOGARITHM_ALONE = {
    "normalization": None,
    "ddof": 0,
    "std_epsilon": 0.0,
    "variance_epsilon": 0.0,
    "center_value": 0.0,
    "scale_value": 1.0,
    "stack_frames": 1,
    "fixed_frames": None,
    "masked_frames": 0,
    "padding_value": None,
}
MEL_ALONE = {
    **LOGARITHM_ALONE,
    "log": None,
    "log_floor": None,
    "log_factor": 1.0,
    "log_offset": 0.0,
    "top_db": None,
}


@functools.cache
def transforms(preset):
    """Returns the transforms to a preset's feature, and where its config can leave out steps, to those before."""
    config = registry.get(preset)
    transforms = {"feature": Transform(config)}
    if isinstance(config, configs.LogMel):
        if config.normalization:
            transforms["log"] = Transform(dataclasses.replace(config, **LOGARITHM_ALONE))
        transforms["mel"] = Transform(dataclasses.replace(config, **MEL_ALONE))
    return transforms


def outputs(preset, clip):
    """Computes a preset's feature of a clip, `{"feature": ..., "log": ..., "mel": ...}`, for `agreement.judge`."""
    return {kind: transform(clip) for kind, transform in transforms(preset).items()}


def signals(preset):
    """Returns half a second of each of `clips.signals` at a preset's rate."""
    sample_rate = references.sample_rate(preset)
    return clips.signals(sample_rate, sample_rate // 2 + 37)


def recording(path, preset):
    """Reads the first channel of a recording at a preset's rate, and no more of it than the preset takes."""
    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = soxr.resample(samples[:, 0], sample_rate, references.sample_rate(preset))
    return np.ascontiguousarray(samples[: registry.get(preset).max_samples], np.float32)
