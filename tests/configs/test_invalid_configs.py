"""Invalid fields and invalid JSON of configs are refused by name."""

import pytest

from audiopipe import configs
from audiopipe.configs import KerasMelSpectrogram, LogFrequencySpectrogram, MelSpectrogram, StftMagnitude, WhisperLogMel
from audiopipe.errors import ConfigError

NYQUIST = {"sample_rate": 16000}


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (MelSpectrogram, {"n_mels": 0}, r"n_mels must be at least 1. Received: n_mels=0"),
        (MelSpectrogram, {"n_mels": 80.0}, r"n_mels must be an integer. Received: n_mels=80\.0"),
        (MelSpectrogram, {"n_mels": "80"}, r"n_mels must be an integer. Received: n_mels='80'"),
        (MelSpectrogram, {"n_mels": None}, r"n_mels must be an integer. Received: n_mels=None"),
        (MelSpectrogram, {"sample_rate": 0}, r"sample_rate must be at least 1. Received: sample_rate=0"),
        (MelSpectrogram, {"sample_rate": True}, r"sample_rate must be an integer. Received: sample_rate=True"),
        (MelSpectrogram, {"mel_f_min": -1.0}, r"mel_f_min must be at least 0. Received: mel_f_min=-1\.0"),
        (MelSpectrogram, {"mel_f_min": float("nan")}, r"mel_f_min must be finite. Received: mel_f_min=nan"),
        (MelSpectrogram, {"mel_htk": 1}, r"mel_htk must be True or False. Received: mel_htk=1"),
        (MelSpectrogram, {"mel_norm": "slany"}, r"mel_norm must be 'slaney'.* Received: mel_norm='slany'"),
        (MelSpectrogram, {"mel_norm": -1}, r"mel_norm must be at least 0. Received: mel_norm=-1"),
        (MelSpectrogram, {"mel_norm": True}, r"mel_norm must be a number. Received: mel_norm=True"),
        (MelSpectrogram, {**NYQUIST, "mel_f_max": 8001}, r"mel_f_max .* at most half.*8000. Received: mel_f_max=8001"),
        (MelSpectrogram, {**NYQUIST, "mel_f_min": 9000}, r"mel_f_max must be greater than mel_f_min=9000"),
        (LogFrequencySpectrogram, {**NYQUIST, "log_n_bins": 96}, r"half the sample rate, 8000 Hz.*n_bins=96.*8372"),
        (LogFrequencySpectrogram, {"log_n_bins": 0}, r"log_n_bins must be at least 1. Received: log_n_bins=0"),
        (LogFrequencySpectrogram, {"log_bins_per_octave": 0}, r"log_bins_per_octave must be at least 1"),
        (LogFrequencySpectrogram, {"log_f_min": 0.0}, r"log_f_min must be greater than 0. Received: log_f_min=0"),
        (
            LogFrequencySpectrogram,
            {"log_spread": -0.5},
            r"log_spread must be greater than 0. Received: log_spread=-0\.5",
        ),
        (WhisperLogMel, {"sample_rate": 8000}, r"sample_rate must be 16000, .*sample_rate=8000. Audio of another rate"),
        (WhisperLogMel, {"n_mels": 0}, r"n_mels must be at least 1. Received: n_mels=0"),
        (WhisperLogMel, {"chunk_seconds": 0.015}, r"chunk_seconds must be None or a multiple .*chunk_seconds=0\.015"),
        (WhisperLogMel, {"output_data_format": "NHWC"}, r"output_data_format must be one of .*='NHWC'"),
        (KerasMelSpectrogram, {"fft_length": 0}, r"fft_length must be at least 1. Received: fft_length=0"),
        (KerasMelSpectrogram, {"sequence_length": 4096}, r"sequence_length must be at most fft_length.*=4096"),
        (KerasMelSpectrogram, {"sequence_stride": 1.5}, r"sequence_stride must be an integer.*sequence_stride=1\.5"),
        (KerasMelSpectrogram, {"window": "hann_window"}, r"window must be one of 'hann', .*window='hann_window'"),
        (KerasMelSpectrogram, {"window": [1.0, 2.0]}, r"sequence_length=2048. Received: window with 2 values"),
        (KerasMelSpectrogram, {"num_mel_bins": 0}, r"num_mel_bins must be at least 1. Received: num_mel_bins=0"),
        (KerasMelSpectrogram, {"max_freq": 8001}, r"max_freq .* half the sample rate, 8000 .*max_freq=8001"),
        (KerasMelSpectrogram, {"min_freq": 9000}, r"max_freq must be greater than min_freq=9000"),
        (KerasMelSpectrogram, {"top_db": 0}, r"top_db must be greater than 0. Received: top_db=0"),
        (KerasMelSpectrogram, {"mag_exp": -1}, r"mag_exp must be greater than 0. Received: mag_exp=-1"),
        (KerasMelSpectrogram, {"min_power": 0.0}, r"min_power must be at least 1.17549e-38. Received: min_power=0"),
        (KerasMelSpectrogram, {"mag_exp": 1e300}, r"mag_exp must be at most 8\. Received: mag_exp=1e\+300"),
        (
            KerasMelSpectrogram,
            {"min_power": 1e39},
            r"min_power must be at most 3.40282e\+38. Received: min_power=1e\+39",
        ),
        (KerasMelSpectrogram, {"ref_power": 0}, r"ref_power must be at least 1.17549e-38. Received: ref_power=0"),
        (KerasMelSpectrogram, {"ref_power": -1.0}, r"ref_power must be at least 1.17549e-38. Received: ref_power=-1"),
        (KerasMelSpectrogram, {"ref_power": 1e300}, r"ref_power must be at most 3.40282e\+38"),
        (KerasMelSpectrogram, {"top_db": 1e300}, r"top_db must be at most 3.40282e\+38"),
        (
            KerasMelSpectrogram,
            {"window": [1e39] * 2048},
            r"window must be at most 3.40282e\+38. Received: window=1e\+39",
        ),
        (KerasMelSpectrogram, {"ref_power": "1"}, r"ref_power must be a number. Received: ref_power='1'"),
        (KerasMelSpectrogram, {"output_data_format": "NHWC"}, r"output_data_format must be one of .*='NHWC'"),
        (StftMagnitude, {"n_fft": 0}, r"n_fft must be at least 1. Received: n_fft=0"),
        (StftMagnitude, {"hop_length": 0}, r"hop_length must be at least 1. Received: hop_length=0"),
        (StftMagnitude, {"n_fft": 256, "win_length": 400}, r"win_length must be at most n_fft.*win_length=400"),
        (StftMagnitude, {"window_name": "hann"}, r"window_name must be one of 'hann_window'.*window_name='hann'"),
        (StftMagnitude, {"window_name": 3}, r"window_name must be a string. Received: window_name=3"),
        (
            StftMagnitude,
            {"window_name": "vorbis_window", "win_length": 401},
            r"vorbis_window needs an even win_length. Received: win_length=401",
        ),
        (StftMagnitude, {"pad_end": None}, r"pad_end must be True or False. Received: pad_end=None"),
        (StftMagnitude, {"db_amin": 0.0}, r"db_amin must be at least 1.17549e-38. Received: db_amin=0\.0"),
        (StftMagnitude, {"db_amin": 1e300}, r"db_amin must be at most 3.40282e\+38. Received: db_amin=1e\+300"),
        (StftMagnitude, {"db_ref_value": 1e39}, r"db_ref_value must be at most 3.40282e\+38"),
        (StftMagnitude, {"db_dynamic_range": 1e39}, r"db_dynamic_range must be at most 3.40282e\+38"),
        (StftMagnitude, {"db_ref_value": float("inf")}, r"db_ref_value must be finite. Received: db_ref_value=inf"),
        (StftMagnitude, {"db_dynamic_range": -80}, r"db_dynamic_range must be greater than 0"),
        (StftMagnitude, {"db_dynamic_range": "80"}, r"db_dynamic_range must be a number. .*='80'"),
        (StftMagnitude, {"channels": 0}, r"channels must be None or 1 .. 64. Received: channels=0"),
        (StftMagnitude, {"channels": 65}, r"channels must be None or 1 .. 64. Received: channels=65"),
        (StftMagnitude, {"channels": True}, r"channels must be an integer. Received: channels=True"),
        (StftMagnitude, {"decoder": "torchcodec"}, r"decoder must be one of 'soundfile'. .*='torchcodec'"),
        (StftMagnitude, {"resampler": "kaiser"}, r"resampler must be one of 'soxr'. .*='kaiser'"),
        (StftMagnitude, {"resampler_quality": "best"}, r"resampler_quality must be one of .*='best'"),
        (StftMagnitude, {"input_data_format": "NHWC"}, r"input_data_format must be one of .*='NHWC'"),
        (StftMagnitude, {"output_data_format": None}, r"output_data_format must be a string. .*=None"),
    ],
)
def test_invalid_fields_are_refused_by_name(cls, arguments, message):
    with pytest.raises(ConfigError, match=f"{cls.__name__}: .*{message}"):
        cls(**arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_mels: 80", r"must be JSON. Received: 'n_mels: 80'"),
        ("", r"must be JSON. Received: ''"),
        ("[1, 2]", r"must be an object. Received: \[1, 2\]"),
        ('"speech-mel-80"', r"must be an object. Received: 'speech-mel-80'"),
        ('{"sample_rate": 16000}', r"name its feature: .*MelSpectrogram.*Received: the keys sample_rate"),
        ('{"feature": "Melspectrogram"}', r"Received: feature='Melspectrogram'"),
        ('{"feature": ["MelSpectrogram"]}', r"Received: feature=\['MelSpectrogram'\]"),
        ('{"feature": "MelSpectrogram", "n_mel": 80}', r"MelSpectrogram has no field 'n_mel'. Its fields are .*n_mels"),
        ('{"feature": "StftMagnitude", "n_mels": 80}', r"StftMagnitude has no field 'n_mels'"),
        ('{"feature": "MelSpectrogram", "n_mels": 80, "n_mels": 81}', r"each key once. Received twice: n_mels"),
        ('{"feature": "MelSpectrogram", "n_mels": "80"}', r"n_mels must be an integer. Received: n_mels='80'"),
        ('{"feature": "MelSpectrogram", "db_amin": NaN}', r"db_amin must be finite. Received: db_amin=nan"),
        ('{"feature": "MelSpectrogram", "db_amin": 1e999}', r"db_amin must be finite. Received: db_amin=inf"),
        ('{"feature": "MelSpectrogram", "n_fft": {"a": 1}}', r"n_fft must be an integer"),
    ],
)
def test_invalid_json_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        configs.from_json(text)


def test_a_config_without_decibels_has_no_decibel_fields():
    with pytest.raises(ConfigError, match="Stft has no field 'return_decibel'"):
        configs.from_json('{"feature": "Stft", "return_decibel": true}')


def test_the_settings_of_a_feature_extractor_are_refused_with_the_function_that_reads_them():
    with pytest.raises(ConfigError, match=r"'WhisperFeatureExtractor'\. configs\.from_extractor turns it"):
        configs.from_dict({"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80})
