"""Presets agree with the float64 references of the front ends that they reproduce, by the rule of `agreement`."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiopipe import Transform, configs, registry
from front_ends import agreement, clips, references

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

# Samples with which a feature's fixed length is reached: 1024 frames of AST, 30 s of Whisper, and 10 s of CLAP, which
# repeats what is at most half as long.
FIXED = {
    "ast": [400 + 1023 * 160],
    "clap-fused": [480_000],
    "clap-unfused": [240_000, 480_000],
    "whisper-80": [480_000],
}


@functools.cache
def _transforms(preset):
    """Returns the transforms to a preset's feature, and where its config can leave out steps, to those before."""
    config = registry.get(preset)
    transforms = {"feature": Transform(config)}
    if isinstance(config, configs.LogMel):
        if config.normalization:
            transforms["log"] = Transform(dataclasses.replace(config, **LOGARITHM_ALONE))
        transforms["mel"] = Transform(dataclasses.replace(config, **MEL_ALONE))
    return transforms


def _failures(preset, clip):
    found = {kind: transform(clip) for kind, transform in _transforms(preset).items()}
    return agreement.judge(**found, reference=references.reference(preset, clip))


def _signals(preset):
    sample_rate = references.sample_rate(preset)
    return clips.signals(sample_rate, sample_rate // 2 + 37)


@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_agrees_with_its_reference(preset):
    signals = _signals(preset)
    for name in ("noise", "speech-like", "tone at 440 Hz", "silence", "noise with an offset"):
        assert _failures(preset, signals[name]) == [], name


@pytest.mark.faults
@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_agrees_with_its_reference_on_every_signal(preset):
    for name, clip in _signals(preset).items():
        assert _failures(preset, clip) == [], name


@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_has_the_frames_of_its_reference_around_each_boundary(preset):
    config, transform = registry.get(preset), _transforms(preset)["feature"]
    lengths = clips.boundaries(*references.framing(preset), frames=(1, 2))
    for length in lengths[:: 4 if preset in FIXED else 1]:
        reference = references.reference(preset, clips.noise(length))
        assert config.n_frames(length) == len(reference.feature), length
        assert config.valid_frames(length) == reference.valid_frames, length
        assert agreement.judge(transform(clips.noise(length)), reference) == [], length


@pytest.mark.parametrize("preset", FIXED)
def test_preset_of_a_fixed_length_agrees_with_its_reference_around_it(preset):
    config, transform = registry.get(preset), _transforms(preset)["feature"]
    for boundary in FIXED[preset]:
        for length in (boundary - 160, boundary - 1, boundary, boundary + 1, boundary + 160):
            if length <= (registry.get(preset).max_samples or length):
                reference = references.reference(preset, clips.noise(length))
                assert config.valid_frames(length) == reference.valid_frames, length
                assert agreement.judge(transform(clips.noise(length)), reference) == [], length


@pytest.mark.faults
@pytest.mark.parametrize("preset", references.NAMES)
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_preset_agrees_with_its_reference_on_recordings(preset, path):
    assert _failures(preset, _recording(path, preset)) == []


@pytest.mark.parametrize("preset", references.NAMES)
@pytest.mark.parametrize("path", RECORDINGS[-1:], ids=lambda path: path.stem)
def test_preset_agrees_with_its_reference_on_two_seconds_of_a_recording(preset, path):
    assert _failures(preset, _recording(path, preset)[: 2 * references.sample_rate(preset)]) == []


def _recording(path, preset):
    """Reads the first channel of a recording at a preset's rate, and no more of it than the preset takes."""
    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = soxr.resample(samples[:, 0], sample_rate, references.sample_rate(preset))
    return np.ascontiguousarray(samples[: registry.get(preset).max_samples], np.float32)
