"""The feature of a config from an extractor against what the extractor returns, also with settings of its own.

tests/front_ends compares the presets, which the defaults give, with independent references.
"""

import numpy as np
import pytest
import transformers
from extractors import WITHOUT_TORCH

from audiopipe import Transform, configs

RATE = {"sampling_rate": 16000}
GEMMA_4 = {
    "frame_length_ms": 40,
    "preemphasis": 0.5,
    "fft_overdrive": True,
    "mel_floor": 0.1,
    "feature_size": 60,
    "min_frequency": 50,
}
# Class, settings, and the extractor's call.
CASES = {
    "Whisper of 2 seconds": (
        "WhisperFeatureExtractor",
        {"chunk_length": 2},
        lambda extractor, clip: extractor(clip, **RATE)["input_features"][0].T,
    ),
    "Speech2Text": (
        "Speech2TextFeatureExtractor",
        {},
        lambda extractor, clip: extractor(clip, **RATE)["input_features"][0],
    ),
    "Speech2Text without normalization": (
        "Speech2TextFeatureExtractor",
        {"do_ceptral_normalize": False, "num_mel_bins": 40},
        lambda extractor, clip: extractor(clip, **RATE)["input_features"][0],
    ),
    "SeamlessM4T with other padding": (
        "SeamlessM4TFeatureExtractor",
        {"num_mel_bins": 60, "padding_value": 3.0},
        lambda extractor, clip: extractor(clip, **RATE, return_tensors="np")["input_features"][0],
    ),
    "SeamlessM4T at 8 kHz": (
        "SeamlessM4TFeatureExtractor",
        {"sampling_rate": 8000, "num_mel_bins": 23},
        lambda extractor, clip: extractor(clip, sampling_rate=8000, return_tensors="np")["input_features"][0],
    ),
    "SpeechT5 with another window": (
        "SpeechT5FeatureExtractor",
        {"win_length": 50, "hop_length": 12, "win_function": "hamming_window", "fmin": 0, "mel_floor": 1e-4},
        lambda extractor, clip: extractor(audio_target=clip, **RATE)["input_values"][0],
    ),
    "SpeechT5 at 22.05 kHz": (
        "SpeechT5FeatureExtractor",
        {"sampling_rate": 22050, "win_function": "boxcar"},
        lambda extractor, clip: extractor(audio_target=clip, sampling_rate=22050)["input_values"][0],
    ),
    "UnivNet with every number changed": (
        "UnivNetFeatureExtractor",
        {
            "sampling_rate": 22050,
            "num_mel_bins": 40,
            "filter_length": None,
            "win_length": 512,
            "hop_length": 101,
            "do_normalize": True,
            "compression_factor": 2.0,
            "compression_clip_val": 0.01,
            "mel_floor": 1e-3,
            "fmin": 50,
            "fmax": 9000,
            "normalize_max": 3.0,
        },
        lambda extractor, clip: extractor(clip, sampling_rate=22050, return_noise=False)["input_features"][0],
    ),
    "Gemma 3n with other frames": (
        "Gemma3nAudioFeatureExtractor",
        {"frame_length_ms": 25, "hop_length_ms": 12, "input_scale_factor": 2.0, "mel_floor": 0.01},
        lambda extractor, clip: extractor(clip, pad_to_multiple_of=None)["input_features"][0],
    ),
    "Gemma 3n without pre-emphasis": (
        "Gemma3nAudioFeatureExtractor",
        {"preemphasis": 0.0, "fft_overdrive": False, "feature_size": 40, "min_frequency": 0.0},
        lambda extractor, clip: extractor(clip, pad_to_multiple_of=None)["input_features"][0],
    ),
    "Gemma 4": (
        "Gemma4AudioFeatureExtractor",
        {"feature_size": 60},
        lambda extractor, clip: extractor([clip])["input_features"][0],
    ),
    "Gemma 4 with every number changed": (
        "Gemma4AudioFeatureExtractor",
        GEMMA_4,
        lambda extractor, clip: extractor([clip])["input_features"][0],
    ),
    "Wav2Vec2": (
        "Wav2Vec2FeatureExtractor",
        {},
        lambda extractor, clip: extractor(clip, **RATE)["input_values"][0][:, None],
    ),
}


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", CASES)
def test_feature_is_what_the_extractor_returns(name):
    class_name, settings, call = CASES[name]
    extractor = WITHOUT_TORCH[class_name](**settings)
    transform = Transform(configs.from_extractor(extractor))
    for n_samples in (4001, 16000):
        clip = (0.1 * np.random.default_rng(n_samples).normal(size=n_samples)).astype(np.float32)
        feature, expected = transform(clip)[..., 0], np.asarray(call(extractor, clip), np.float32)
        valid = transform.valid_frames(n_samples)
        rows = len(expected)
        if class_name.startswith("Gemma4"):  # it returns as many rows of padding as its call pads the clip by
            rows = valid
            assert not expected[valid:].any()
            assert not feature[valid:].any()
        np.testing.assert_allclose(feature[:rows], expected[:rows], rtol=0, atol=5e-4)


def test_attention_mask_marks_the_valid_rows():
    for class_name, lengths in {
        "SeamlessM4TFeatureExtractor": (16000, 16160, 16159),
        "Gemma3nAudioFeatureExtractor": (16000, 12800),
    }.items():
        extractor = WITHOUT_TORCH[class_name]()
        config = configs.from_extractor(extractor)
        for n_samples in lengths:
            outputs = extractor(np.zeros(n_samples, np.float32), sampling_rate=16000)
            mask = outputs.get("attention_mask", outputs.get("input_features_mask"))
            assert np.sum(mask) == config.valid_frames(n_samples), (class_name, n_samples)


def test_a_saved_and_loaded_extractor_has_the_feature_of_its_file(tmp_path):
    transformers.SpeechT5FeatureExtractor(num_mel_bins=20, fmax=4000).save_pretrained(tmp_path)
    loaded = transformers.SpeechT5FeatureExtractor.from_pretrained(tmp_path)
    clip = (0.1 * np.random.default_rng(0).normal(size=4000)).astype(np.float32)
    feature = Transform(configs.from_extractor(tmp_path))(clip)[..., 0]
    np.testing.assert_allclose(feature, loaded(audio_target=clip, **RATE)["input_values"][0], rtol=0, atol=1e-5)


WITH_TORCH = {
    "AST": ("ASTFeatureExtractor", {"mean": -6.0, "std": 3.0, "max_length": 120, "num_mel_bins": 64}),
    "AST without normalization": ("ASTFeatureExtractor", {"do_normalize": False, "max_length": 50}),
    "CLAP": ("ClapFeatureExtractor", {"frequency_min": 50, "max_length_s": 3}),
    "CLAP with every number changed": (
        "ClapFeatureExtractor",
        {
            "frequency_max": 12000,
            "sampling_rate": 32000,
            "max_length_s": 2,
            "fft_window_size": 512,
            "hop_length": 320,
            "feature_size": 40,
            "truncation": "rand_trunc",
            "padding": "pad",
        },
    ),
    "Parakeet": (
        "ParakeetFeatureExtractor",
        {"feature_size": 60, "hop_length": 100, "n_fft": 400, "win_length": 320, "preemphasis": 0.9},
    ),
    "Parakeet without pre-emphasis": ("ParakeetFeatureExtractor", {"preemphasis": None, "sampling_rate": 8000}),
    "LASR": (
        "LasrFeatureExtractor",
        {"feature_size": 60, "hop_length": 200, "n_fft": 1024, "win_length": 500, "sampling_rate": 22050},
    ),
}


@pytest.mark.parametrize("name", WITH_TORCH)
def test_feature_is_what_an_extractor_with_torch_returns(name):
    pytest.importorskip("torch")
    class_name, settings = WITH_TORCH[name]
    extractor = getattr(transformers, class_name)(**settings)
    config = configs.from_extractor(extractor)
    transform = Transform(config)
    for n_samples in (5003, 16000):
        clip = (0.1 * np.random.default_rng(n_samples).normal(size=n_samples)).astype(np.float32)
        outputs = extractor(clip, sampling_rate=config.sample_rate, return_tensors="np")
        expected = outputs["input_values" if "input_values" in outputs else "input_features"][0]
        expected = expected[0] if expected.ndim == 3 else expected  # one of CLAP's copies
        np.testing.assert_allclose(transform(clip)[..., 0], expected, rtol=0, atol=5e-4)
        if class_name == "ParakeetFeatureExtractor":
            assert np.sum(outputs["attention_mask"]) == config.valid_frames(n_samples)
