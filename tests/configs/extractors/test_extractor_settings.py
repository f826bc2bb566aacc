"""Settings of extractors: the fields that they become, and those that no config reproduces."""

import dataclasses

import numpy as np
import pytest
import transformers
from extractors import PRESETS, default

from audiopipe import configs, registry
from audiopipe.errors import ConfigError


def config_of(class_name, **settings):
    return configs.from_extractor({"feature_extractor_type": class_name, **settings})


def changed(preset, **fields):
    return dataclasses.replace(registry.get(preset), **fields)


@pytest.mark.parametrize(
    ("class_name", "settings", "fields"),
    [
        ("WhisperFeatureExtractor", {"feature_size": 128, "chunk_length": 8}, {"n_mels": 128, "chunk_seconds": 8.0}),
        ("ASTFeatureExtractor", {"mean": 1, "std": 2.5}, {"center_value": 1.0, "scale_value": 5.0}),
        ("ASTFeatureExtractor", {"do_normalize": False}, {"center_value": 0.0, "scale_value": 1.0}),
        ("ASTFeatureExtractor", {"max_length": 512, "num_mel_bins": 64}, {"fixed_frames": 512, "n_mels": 64}),
        ("SeamlessM4TFeatureExtractor", {"num_mel_bins": 40, "padding_value": 1}, {"n_mels": 40, "padding_value": 1.0}),
        ("SeamlessM4TFeatureExtractor", {"sampling_rate": 8001}, {"sample_rate": 8001, "f_max": 4000.0}),
        ("Speech2TextFeatureExtractor", {"do_ceptral_normalize": False}, {"normalization": None}),
        ("Speech2TextFeatureExtractor", {"normalize_means": False, "normalize_vars": False}, {"normalization": None}),
        (
            "SpeechT5FeatureExtractor",
            {"win_length": 50, "hop_length": 12, "sampling_rate": 22050, "win_function": "hamming_window"},
            {
                "sample_rate": 22050,
                "n_fft": 2048,
                "win_length": 1102,
                "frame_length": 1102,
                "hop_length": 264,
                "window": "hamming",
            },
        ),
        (
            "SpeechT5FeatureExtractor",
            {"win_function": "boxcar", "fmin": 0, "fmax": 8000, "mel_floor": 1e-5},
            {"window": "rectangular", "periodic": None, "f_min": 0.0, "f_max": 8000.0, "log_floor": 1e-5},
        ),
        (
            "UnivNetFeatureExtractor",
            {"sampling_rate": 22050, "num_mel_bins": 80, "fmax": 8000},
            {"sample_rate": 22050, "n_mels": 80, "f_max": 8000.0},
        ),
        ("UnivNetFeatureExtractor", {"fmax": None, "fmin": 0}, {}),
        (
            "UnivNetFeatureExtractor",
            {"filter_length": None, "win_length": 512},
            {"n_fft": 512, "win_length": None, "frame_length": None},
        ),
        (
            "UnivNetFeatureExtractor",
            {"do_normalize": True, "normalize_min": -10, "normalize_max": 2, "compression_factor": 2},
            {"center_value": -4.0, "scale_value": 6.0, "log_factor": 2.0},
        ),
        ("ParakeetFeatureExtractor", {"feature_size": 128}, {"n_mels": 128}),
        ("ParakeetFeatureExtractor", {"preemphasis": None}, {"preemphasis": 0.0, "preemphasis_of": None}),
        ("LasrFeatureExtractor", {"hop_length": 200, "feature_size": 64}, {"hop_length": 200, "n_mels": 64}),
        (
            "Gemma3nAudioFeatureExtractor",
            {"frame_length_ms": 25, "fft_overdrive": False, "preemphasis": 0.0, "input_scale_factor": 2},
            {
                "n_fft": 512,
                "win_length": 400,
                "frame_length": 401,
                "preemphasis": 0.0,
                "preemphasis_of": None,
                "gain": 2.0,
            },
        ),
        (
            "Gemma3nAudioFeatureExtractor",
            {"preemphasis": 0, "preemphasis_htk_flavor": False},
            {"preemphasis": 0.0, "preemphasis_of": None},
        ),
    ],
)
def test_settings_become_fields(class_name, settings, fields):
    assert config_of(class_name, **settings) == changed(PRESETS[class_name], **fields)


def test_settings_of_clap_become_fields():
    settings = {
        "sampling_rate": 32000,
        "max_length_s": 5,
        "hop_length": 320,
        "fft_window_size": 512,
        "feature_size": 40,
        "frequency_min": 0,
        "frequency_max": 16000,
        "truncation": "rand_trunc",
        "padding": "pad",
    }
    config = config_of("ClapFeatureExtractor", **settings)
    assert config == changed(
        "clap-unfused",
        sample_rate=32000,
        clip_seconds=5.0,
        short_clips="pad",
        n_fft=512,
        win_length=512,
        frame_length=512,
        hop_length=320,
        n_mels=40,
        f_min=0.0,
        f_max=16000.0,
    )


def test_gemma_4_has_a_last_row_of_padding():
    config = config_of("Gemma4AudioFeatureExtractor")
    assert (config.n_fft, config.win_length, config.frame_length, config.edges) == (512, 320, 321, "center")
    assert (config.log_offset, config.log_floor, config.masked_frames, config.padding) == (1e-3, None, 1, 0)
    assert (config.n_frames(16000), config.valid_frames(16000)) == (100, 99)


@pytest.mark.parametrize(
    ("class_name", "setting", "value"),
    [
        *((class_name, "dither", 1e-5) for class_name in PRESETS),
        *((class_name, "padding_side", "left") for class_name in PRESETS),
        ("WhisperFeatureExtractor", "sampling_rate", 8000),
        ("WhisperFeatureExtractor", "hop_length", 320),
        ("WhisperFeatureExtractor", "n_fft", 512),
        ("WhisperFeatureExtractor", "padding_value", 1.0),
        ("ASTFeatureExtractor", "sampling_rate", 8000),
        ("Speech2TextFeatureExtractor", "sampling_rate", 8000),
        ("Speech2TextFeatureExtractor", "normalize_means", False),
        ("Speech2TextFeatureExtractor", "normalize_vars", False),
        ("SeamlessM4TFeatureExtractor", "stride", 1),
        ("SeamlessM4TFeatureExtractor", "mel_filters", [[1.0]]),
        ("SeamlessM4TFeatureExtractor", "window", [1.0]),
        ("ClapFeatureExtractor", "truncation", "center"),
        ("ClapFeatureExtractor", "padding", "repeat"),
        ("SpeechT5FeatureExtractor", "win_function", "povey"),
        ("SpeechT5FeatureExtractor", "sampling_rate", 22051),
        ("UnivNetFeatureExtractor", "center", True),
        ("UnivNetFeatureExtractor", "padding_value", 0.5),
        ("UnivNetFeatureExtractor", "filter_length", 2048),
        ("ParakeetFeatureExtractor", "n_fft", 511),
        ("ParakeetFeatureExtractor", "padding_value", 1),
        ("LasrFeatureExtractor", "sampling_rate", 8000),
        ("Gemma3nAudioFeatureExtractor", "preemphasis_htk_flavor", False),
        ("Gemma3nAudioFeatureExtractor", "per_bin_mean", [0.0] * 128),
        ("Gemma3nAudioFeatureExtractor", "per_bin_stddev", [1.0] * 128),
        ("Gemma3nAudioFeatureExtractor", "frame_length", 400),
        ("Gemma4AudioFeatureExtractor", "frame_length_ms", 25),
        ("Wav2Vec2FeatureExtractor", "do_normalize", False),
        ("Wav2Vec2FeatureExtractor", "padding_value", -1.0),
        ("Wav2Vec2FeatureExtractor", "feature_size", 2),
    ],
)
def test_what_no_config_reproduces_is_an_error_that_names_setting_and_value(class_name, setting, value):
    with pytest.raises(ConfigError) as caught:
        config_of(class_name, **{setting: value})
    message = str(caught.value)
    assert message.startswith(class_name)
    assert setting.removesuffix("_ms") in message
    assert str(value)[:20] in message or "400 and a hop" in message
    assert message.count(". ") >= 1, "the message must say what to do"


@pytest.mark.parametrize(
    ("class_name", "setting", "value", "words"),
    [
        ("WhisperFeatureExtractor", "feature_size", "80", "an integer"),
        ("WhisperFeatureExtractor", "feature_size", 80.5, "an integer"),
        ("WhisperFeatureExtractor", "feature_size", True, "an integer"),
        ("WhisperFeatureExtractor", "feature_size", None, "an integer"),
        ("WhisperFeatureExtractor", "feature_size", 0, "at least 1"),
        ("WhisperFeatureExtractor", "feature_size", 10**9, "at most 4096"),
        ("WhisperFeatureExtractor", "chunk_length", 0, "greater than 0"),
        ("WhisperFeatureExtractor", "chunk_length", 1e9, "at most 3600"),
        ("ASTFeatureExtractor", "max_length", 10**12, "at most"),
        ("ASTFeatureExtractor", "std", 0, "greater than 0"),
        ("ASTFeatureExtractor", "mean", [1.0], "a number"),
        ("ASTFeatureExtractor", "do_normalize", "true", "True or False"),
        ("SeamlessM4TFeatureExtractor", "sampling_rate", 41, "at least 42"),
        ("ClapFeatureExtractor", "frequency_min", 14000, "greater than frequency_min=14000"),
        ("ClapFeatureExtractor", "frequency_max", 48000, "at most half the sample rate, 24000"),
        ("ClapFeatureExtractor", "fft_window_size", 2**40, "at most"),
        ("ClapFeatureExtractor", "max_length_s", -1, "greater than 0"),
        ("SpeechT5FeatureExtractor", "win_length", 10**6, "in milliseconds"),
        ("SpeechT5FeatureExtractor", "mel_floor", 0, "greater than 0"),
        ("UnivNetFeatureExtractor", "hop_length", 2048, "at most 1024"),
        ("UnivNetFeatureExtractor", "normalize_max", -100, "greater than"),
        ("ParakeetFeatureExtractor", "win_length", 513, "at most 512"),
        ("ParakeetFeatureExtractor", "preemphasis", 1.5, "less than 1"),
        ("LasrFeatureExtractor", "win_length", 1, "at least 3"),
        ("Gemma3nAudioFeatureExtractor", "frame_length_ms", 1e-9, "must give 2"),
        ("Gemma3nAudioFeatureExtractor", "mel_floor", -1, "greater than 0"),
    ],
)
def test_wrong_values_are_errors_that_name_the_setting(class_name, setting, value, words):
    with pytest.raises(ConfigError, match=words) as caught:
        config_of(class_name, **{setting: value})
    assert str(caught.value).startswith(class_name)
    assert setting in str(caught.value)


def test_a_filterbank_in_json_is_ignored_where_the_class_ignores_it():
    for class_name in ("WhisperFeatureExtractor", "ASTFeatureExtractor", "ParakeetFeatureExtractor"):
        assert config_of(class_name, mel_filters=[[1.0]]) == config_of(class_name)


def test_settings_that_the_class_does_not_use_are_named_in_a_warning():
    with pytest.warns(UserWarning, match=r"WhisperFeatureExtractor has settings .*: fmax, gain\. They are ignored"):
        config_of("WhisperFeatureExtractor", gain=2, fmax=4000)
    with pytest.warns(UserWarning, match=r"WhisperFeatureExtractor has settings .*: 1, fmax\. They are ignored"):
        configs.from_extractor({"feature_extractor_type": "WhisperFeatureExtractor", "fmax": 4000, 1: 2})
    config_of("WhisperFeatureExtractor", processor_class="WhisperProcessor", _private=1)
    config_of("Gemma3nAudioFeatureExtractor", image_processor_type="SiglipImageProcessor", do_resize=True)


@pytest.mark.parametrize(
    ("class_name", "attribute", "value"),
    [
        ("WhisperFeatureExtractor", "chunk_length", 10),
        ("WhisperFeatureExtractor", "n_samples", 16000),
        ("WhisperFeatureExtractor", "mel_filters", np.ones((201, 80))),
        ("SeamlessM4TFeatureExtractor", "mel_filters", np.ones((257, 80))),
        ("SeamlessM4TFeatureExtractor", "window", np.hanning(400)),
        ("SpeechT5FeatureExtractor", "win_length", 32),
        ("SpeechT5FeatureExtractor", "fmax", 8000),
        ("UnivNetFeatureExtractor", "window", np.ones(1024)),
        ("Gemma3nAudioFeatureExtractor", "frame_length", 400),
    ],
)
def test_an_instance_that_was_changed_after_it_was_created_is_refused(class_name, attribute, value, monkeypatch):
    extractor = default(class_name)
    monkeypatch.setattr(extractor, attribute, value)
    with pytest.raises(ConfigError, match=r"changed after the extractor|replaced after the extractor"):
        configs.from_extractor(extractor)


def test_lengths_that_transformers_does_not_save_are_read_from_the_instance():
    extractor = transformers.Gemma3nAudioFeatureExtractor(frame_length_ms=25, hop_length_ms=5)
    config = configs.from_extractor(extractor)
    assert (config.win_length, config.frame_length, config.hop_length, config.n_fft) == (400, 401, 80, 1024)
    with pytest.raises(ConfigError, match=r"frame_length_ms is missing, and frame_length=400 .* pass the extractor"):
        configs.from_extractor(extractor.to_dict())
    saved = extractor.to_dict() | {"frame_length_ms": 25, "hop_length_ms": 5}
    assert configs.from_extractor(saved) == config
