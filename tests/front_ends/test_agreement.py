"""The rule of agreement accepts what float32 rounds, and names the bound that a wrong feature fails."""

import dataclasses

import numpy as np
import pytest

from front_ends import clips, references
from front_ends.agreement import judge

CLIP = clips.speech_like(8000, 16000) + clips.noise(8000, 1e-3)


@pytest.fixture(
    params=["wenet-80", "speecht5", "clap-unfused", "ast", "seamless-m4t", "nemo-mel-80", "librosa-mel-128"]
)
def reference(request):
    return references.reference(request.param, CLIP)


@pytest.fixture
def plain():
    return references.reference("wenet-80", CLIP)


@pytest.fixture
def normalized():
    return references.reference("speech-to-text", CLIP)


def test_rounding_to_float32_is_agreement(reference):
    mel, log, feature = (values.astype(np.float32) for values in (reference.mel, reference.log, reference.feature))
    assert judge(feature, reference, mel=mel, log=log) == []
    assert judge(feature[..., None], reference, mel=mel[..., None]) == []


def test_a_shifted_feature_fails(reference):
    assert judge(reference.feature + 0.01, reference) != []


def test_a_shifted_value_of_one_frame_fails_and_is_named(plain):
    feature = plain.feature.copy()
    feature[7, 12] += 2e-3
    assert judge(feature, plain) == [
        "feature, in units of the logarithm: 0.002 at frame 7, bin 12; allowed: 0.001; 1 values exceed it"
    ]


def test_decibels_have_their_own_bound():
    reference = references.reference("clap-fused", CLIP)
    assert judge(reference.feature + 1.9e-3, reference) == []
    assert "decibels: 0.0021" in judge(reference.feature + 2.1e-3, reference)[0]


def test_an_affine_step_scales_the_bound():
    reference = references.reference("beats", CLIP)
    assert judge(reference.feature + 0.9e-3 / (2 * 6.55582), reference) == []
    assert judge(reference.feature + 1.1e-3 / (2 * 6.55582), reference) != []


def test_values_before_the_logarithm_are_judged_by_their_frame(plain):
    mel = plain.mel.copy()
    quietest = plain.mel.max(axis=1).argmin()
    mel[quietest, 5] += 3e-6 * plain.mel[quietest].max()
    failure = judge(plain.feature, plain, mel=mel)[0]
    assert failure.startswith(
        f"before the logarithm, in units of the frame's maximum: 3e-06 at frame {quietest}, bin 5"
    )


def test_values_80_decibels_below_the_maximum_are_not_judged_and_those_above_are(plain):
    for decibels, agrees in ((79, False), (81, True)):
        mel = plain.mel.copy()
        mel[3, 40] = mel[3].max() * 10 ** (-decibels / 10)
        reference = dataclasses.replace(plain, mel=mel)
        feature = plain.feature.copy()
        feature[3, 40] += 0.5
        assert (judge(feature, reference) == []) is agrees, decibels


def test_a_wrong_floor_fails_on_silence():
    reference = references.reference("speecht5", np.zeros(4000, np.float32))
    assert judge(np.log10(np.maximum(reference.mel, 2e-10)), reference) != []


def test_a_wrong_divisor_fails_after_normalization_alone(normalized):
    assert judge(normalized.feature, normalized, log=normalized.log) == []
    failures = judge(normalized.feature * 1.01, normalized, log=normalized.log)
    assert [failure.partition(":")[0] for failure in failures] == ["normalized feature"]


def test_a_normalized_feature_is_judged_before_normalization(normalized):
    failures = judge(normalized.feature, normalized, log=normalized.log + 2e-3)
    assert failures[0].startswith("logarithm, in units of the logarithm: 0.002")


def test_errors_far_below_the_maximum_widen_the_bound_of_their_bin_after_normalization():
    clip = clips.tone(8000, 16000, 440)
    clip[4000:] = clips.noise(4000, 1e-3)
    reference = references.reference("speech-to-text", clip)
    log = reference.log + np.where(reference.mel < 1e-9 * reference.mel.max(axis=1, keepdims=True), 0.1, 0)
    feature = (log - log.mean(axis=0)) / log.std(axis=0)
    assert judge(feature, reference, log=log) == []
    assert judge(feature + 1.0, reference, log=log) != []


def test_bins_that_never_change_must_be_zero():
    reference = references.reference("nemo-mel-80", np.zeros(4000, np.float32))
    assert judge(np.zeros(reference.feature.shape), reference) == []
    assert "never change" in judge(np.full(reference.feature.shape, 0.1) * (np.arange(26) < 25)[:, None], reference)[0]


def test_padding_must_be_exact():
    reference = references.reference("ast", CLIP)
    feature = reference.feature.copy()
    feature[1000:] += 1e-3
    assert judge(feature, reference) == ["padding is [0.46703236 0.46803236], expected [0.46703236]"]


def test_another_number_of_frames_fails(plain):
    assert judge(plain.feature[1:], plain) == ["the shape of the feature is (47, 80), expected (48, 80)"]


def test_values_that_are_not_finite_fail(plain):
    feature = plain.feature.copy()
    feature[0, 0] = np.nan
    assert judge(feature, plain) == ["the feature has values that are not finite"]
