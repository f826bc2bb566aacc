"""Errors about the settings of an extractor speak of its settings, not of the fields that we compute from them."""

import dataclasses
import itertools
import re

import pytest

from audiopipe import configs
from audiopipe.configs import extractors
from audiopipe.configs.extractors import SUPPORTED
from audiopipe.configs.extractors.settings import Settings
from audiopipe.errors import ConfigError

OURS = {
    field.name
    for cls in (configs.LogMel, configs.WhisperLogMel, configs.NormalizedWaveform)
    for field in dataclasses.fields(cls)
}
ODD = [None, True, "x", [1.0], {}, -1, 0, 1, 2, 3, 41, 100, 1023, 2**20, 2**31, 2**40, 10**400, 10**5000]
ODD += [-1e300, -1e31, -0.5, 1e-310, 1e-45, 1e-39, 1e-31, 0.999, 1.0, 2.5, 1e10, 1e31, 3.5e38, 1e308, float("nan")]


@pytest.fixture
def settings_of(monkeypatch):
    """Returns a function that lists the settings which a class reads."""

    def names(class_name):
        read = set()

        class Watched(Settings):
            def get(self, name, default):
                read.add(name)
                return super().get(name, default)

        with monkeypatch.context() as patch:
            patch.setattr(extractors, "Settings", Watched)
            configs.from_extractor({"feature_extractor_type": class_name})
        return sorted(read)

    return names


def check(class_name, settings, names):
    """Checks the error about settings, if there is one."""
    try:
        config = configs.from_extractor({"feature_extractor_type": class_name, **settings})
    except ConfigError as error:
        message = str(error)
    else:
        assert configs.from_json(config.to_json()) == config
        return
    assert message.startswith(f"{class_name}: ")
    assert len(message) < 1000
    assert any(re.search(rf"\b{name}\b", message) for name in names), message
    for name in OURS - set(names):
        # Fields like "window" and "gain" are also words.
        field = rf"\b{name}\b" if "_" in name else rf"\b{name}(=| must)"
        assert not re.search(field, message), f"{name} is no setting of {class_name}: {message}"


@pytest.mark.cases(4)
@pytest.mark.parametrize("class_name", sorted(SUPPORTED))
def test_an_error_about_one_setting_names_settings_of_the_extractor_only(class_name, settings_of):
    names = settings_of(class_name)
    assert len(names) >= 6
    for name, value in itertools.product(names, ODD):
        check(class_name, {name: value}, names)


@pytest.mark.cases(0)
@pytest.mark.parametrize("class_name", sorted(SUPPORTED))
def test_an_error_about_two_settings_names_settings_of_the_extractor_only(class_name, settings_of):
    names = settings_of(class_name)
    for pair in itertools.combinations(names, 2):
        for values in itertools.product(ODD[5::2], repeat=2):
            check(class_name, dict(zip(pair, values, strict=True)), names)


@pytest.mark.parametrize(
    ("class_name", "settings", "message"),
    [
        ("WhisperFeatureExtractor", {"chunk_length": 0.015}, r"chunk_length must be None or a multiple of one frame"),
        ("ASTFeatureExtractor", {"std": 1e31}, r"2 \* std must be at most 1e\+30\. Received: 2 \* std=2e\+31"),
        ("ASTFeatureExtractor", {"mean": 1e31}, r"mean must be 0, or 1e-30 to 1e\+30 in size, .* by 2 \* std=9\.13799"),
        ("ASTFeatureExtractor", {"max_length": 2**20, "num_mel_bins": 4096}, r"max_length must be at most 524287, bec"),
        ("SeamlessM4TFeatureExtractor", {"padding_value": 1e31}, r"padding_value must be 0, or .* in size\. Received:"),
        (
            "Speech2TextFeatureExtractor",
            {"padding_value": 1e-31},
            r"padding_value must be 0, or .* in size\. Received:",
        ),
        (
            "ClapFeatureExtractor",
            {"max_length_s": 1e-9},
            r"max_length_s must be at least 2\.08333e-05\. Received: max_l",
        ),
        ("ClapFeatureExtractor", {"max_length_s": 0.00003}, r"max_length_s must be a whole number of samples at 48000"),
        (
            "ClapFeatureExtractor",
            {"fft_window_size": 2**20, "feature_size": 4096},
            r"feature_size must be at most 4095,",
        ),
        (
            "SpeechT5FeatureExtractor",
            {"mel_floor": 1e-40},
            r"mel_floor must be at least 1\.17549e-38\. Received: mel_fl",
        ),
        (
            "UnivNetFeatureExtractor",
            {"mel_floor": 1e39},
            r"mel_floor must be at most 3\.40282e\+38\. Received: mel_floor",
        ),
        (
            "UnivNetFeatureExtractor",
            {"compression_factor": 1e-30, "compression_clip_val": 1e-30},
            r"compression_factor must be such that compression_factor \* compression_clip_val is .*_clip_val is 1e-30",
        ),
        (
            "UnivNetFeatureExtractor",
            {"do_normalize": True, "normalize_max": 1e31},
            r"\(normalize_max - normalize_min\) / 2 must be at most 1e\+30",
        ),
        (
            "ParakeetFeatureExtractor",
            {"preemphasis": 1},
            r"preemphasis must be less than 1\. Received: preemphasis=1\.0",
        ),
        ("ParakeetFeatureExtractor", {"win_length": 2}, r"win_length must be at least 3\. Received: win_length=2"),
        (
            "LasrFeatureExtractor",
            {"n_fft": 2**20, "feature_size": 4096},
            r"feature_size must be at most 4095, because a f",
        ),
        (
            "Gemma3nAudioFeatureExtractor",
            {"input_scale_factor": 1e10},
            r"input_scale_factor must be at most 2\.14748e\+09",
        ),
        (
            "Gemma4AudioFeatureExtractor",
            {"mel_floor": 1e-31},
            r"mel_floor must be 0 or at least 1e-30\. Received: mel_fl",
        ),
        ("Gemma4AudioFeatureExtractor", {"frame_length_ms": 1e308}, r"frame_length_ms must be at most"),
        ("Gemma3nAudioFeatureExtractor", {"sampling_rate": 1}, r"frame_length_ms must give 2 .* 0 samples at 1 Hz"),
        ("Wav2Vec2FeatureExtractor", {"sampling_rate": 2**31}, r"sampling_rate must be at most 1000000"),
    ],
)
def test_the_error_says_what_the_setting_must_be(class_name, settings, message):
    with pytest.raises(ConfigError, match=f"^{class_name}: {message}"):
        configs.from_extractor({"feature_extractor_type": class_name, **settings})
