"""Sizes that no tensor can hold are refused when a config is made."""

import pytest

from audiopipe import configs
from audiopipe.configs import KerasMelSpectrogram, LogFrequencySpectrogram, LogMel, MelSpectrogram, Mfcc, WhisperLogMel
from audiopipe.errors import ConfigError

LARGEST = 2**31 - 1
TRANSFORMS = [configs.Stft, configs.StftMagnitude, configs.StftMagPhase, MelSpectrogram, LogMel, Mfcc]
SIZES = [
    *((cls, name, {}, LARGEST) for cls in TRANSFORMS[:3] for name in ("n_fft", "hop_length")),
    *((cls, "hop_length", {}, LARGEST) for cls in TRANSFORMS[3:]),
    *((cls, "n_fft", {"n_mels": 1}, LARGEST) for cls in TRANSFORMS[3:5]),
    (LogMel, "frame_length", {}, LARGEST),
    (MelSpectrogram, "n_mels", {"n_fft": 512}, LARGEST // 257),
    (LogMel, "n_mels", {"n_fft": 512}, LARGEST // 257),
    (Mfcc, "n_mels", {"n_fft": 512}, LARGEST // 257),
    (WhisperLogMel, "n_mels", {}, LARGEST // 201),
    (KerasMelSpectrogram, "num_mel_bins", {"fft_length": 512}, LARGEST // 257),
    (KerasMelSpectrogram, "fft_length", {"num_mel_bins": 1}, LARGEST),
    (KerasMelSpectrogram, "sequence_stride", {}, LARGEST),
    (LogFrequencySpectrogram, "log_n_bins", {"n_fft": 512, "log_bins_per_octave": 10**12}, LARGEST // 257),
    (LogFrequencySpectrogram, "log_bins_per_octave", {}, 2**63 - 1),
    (LogMel, "stack_frames", {"n_mels": 80}, LARGEST // 80),
    (LogMel, "fixed_frames", {"n_mels": 40, "stack_frames": 2}, LARGEST // 80),
    (LogMel, "masked_frames", {"n_mels": 80}, LARGEST // 80),
    (Mfcc, "delta_width", {"n_mfcc": 13, "deltas": 1}, LARGEST // 13),
]


@pytest.mark.parametrize(("cls", "name", "others", "largest"), SIZES, ids=lambda part: getattr(part, "__name__", None))
def test_sizes_beyond_what_a_tensor_holds_are_refused_by_name(cls, name, others, largest):
    assert cls(**{name: largest, **others}).to_dict()[name] == largest
    for value in (largest + 2, 2**40 + 1, 10**20 + 1, 10**5000 + 1):
        with pytest.raises(
            ConfigError, match=rf"^{cls.__name__}: {name} must be at most \d+.* Received: {name}="
        ) as caught:
            cls(**{name: max(value, largest + 2), **others})
        assert len(str(caught.value)) < 300


def test_a_cosine_transform_that_no_tensor_holds_is_refused():
    with pytest.raises(ConfigError, match=r"n_mfcc must be at most 32767, because a cosine transform of 65536 bands"):
        Mfcc(n_mels=2**16, n_mfcc=2**15)


def test_a_clip_of_more_samples_than_a_tensor_holds_is_refused():
    assert LogMel(sample_rate=16000, clip_seconds=86400).n_frames(1) > 0
    with pytest.raises(ConfigError, match=r"clip_seconds must be at most 2147\.48 at 1000000 Hz"):
        LogMel(sample_rate=10**6, clip_seconds=86400)


def test_json_of_any_depth_and_size_is_a_config_or_a_config_error():
    for text in (
        "[" * 100_000,
        '{"feature": ' * 100_000,
        "[" * 900 + "]" * 900,
        '{"feature": "LogMel", "n_mels": 1' + "0" * 5000 + "}",
    ):
        with pytest.raises(ConfigError) as caught:
            configs.from_json(text)
        assert len(str(caught.value)) < 1000
