"""Presets agree with the float64 references of the front ends that they reproduce, by the rule of `agreement`."""

import numpy as np
import pytest

from audiopipe import Transform, registry
from audiopipe.audio import conversion
from front_ends import agreement, clips, references
from front_ends.preset_outputs import RECORDINGS, outputs, recording, signals, transforms

# Samples with which a feature's fixed length is reached: 1024 frames of AST, 30 s of Whisper, and 10 s of CLAP, which
# repeats what is at most half as long.
FIXED = {
    "ast": [400 + 1023 * 160],
    "clap-fused": [480_000],
    "clap-unfused": [240_000, 480_000],
    "whisper-80": [480_000],
    "whisper-128": [480_000],
}


def _failures(preset, clip):
    return agreement.judge(**outputs(preset, clip), reference=references.reference(preset, clip))


@pytest.mark.cases(3)
@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_agrees_with_its_reference(preset):
    of_preset = signals(preset)
    for name in ("noise", "speech-like", "tone at 440 Hz", "silence", "noise with an offset"):
        assert _failures(preset, of_preset[name]) == [], name


@pytest.mark.faults
@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_agrees_with_its_reference_on_every_signal(preset):
    for name, clip in signals(preset).items():
        assert _failures(preset, clip) == [], name


@pytest.mark.cases(5)
@pytest.mark.parametrize("preset", references.NAMES)
def test_preset_has_the_frames_of_its_reference_around_each_boundary(preset):
    config, transform = registry.get(preset), transforms(preset)["feature"]
    lengths = clips.boundaries(*references.framing(preset), frames=(1, 2))
    for length in lengths[:: 4 if preset in FIXED else 1]:
        reference = references.reference(preset, clips.noise(length))
        assert config.n_frames(length) == len(reference.feature), length
        assert config.valid_frames(length) == reference.valid_frames, length
        assert agreement.judge(transform(clips.noise(length)), reference) == [], length


@pytest.mark.cases(2)
@pytest.mark.parametrize("preset", FIXED)
def test_preset_of_a_fixed_length_agrees_with_its_reference_around_it(preset):
    config, transform = registry.get(preset), transforms(preset)["feature"]
    for boundary in FIXED[preset]:
        for length in (boundary - 160, boundary - 1, boundary, boundary + 1, boundary + 160):
            if length <= (config.max_samples or length):
                reference = references.reference(preset, clips.noise(length))
                assert config.valid_frames(length) == reference.valid_frames, length
                assert agreement.judge(transform(clips.noise(length)), reference) == [], length


@pytest.mark.faults
@pytest.mark.parametrize("preset", references.NAMES)
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_preset_agrees_with_its_reference_on_recordings(preset, path):
    assert _failures(preset, recording(path, preset)) == []


@pytest.mark.cases(6)
@pytest.mark.parametrize("preset", references.NAMES)
@pytest.mark.parametrize("path", RECORDINGS[-1:], ids=lambda path: path.stem)
def test_preset_agrees_with_its_reference_on_two_seconds_of_a_recording(preset, path):
    assert _failures(preset, recording(path, preset)[: 2 * references.sample_rate(preset)]) == []


@pytest.mark.parametrize("name", ["w2v-bert", "librosa-mel-128"])
def test_the_feature_of_the_loudest_clip_that_can_be_read_is_finite(name):
    loud = conversion.LARGEST_SAMPLE * np.sign(np.sin(np.arange(8000) * 0.2)).astype(np.float32)
    assert np.isfinite(Transform(name)(loud)).all()
