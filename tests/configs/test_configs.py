"""Configs: validation, JSON, fingerprints and layers."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import configs, registry
from audiopipe.configs import (
    KerasMelSpectrogram,
    LogFrequencySpectrogram,
    LogMel,
    MelSpectrogram,
    Mfcc,
    NormalizedWaveform,
    Stft,
    StftMagnitude,
    StftMagPhase,
    WhisperLogMel,
    config_classes,
)
from audiopipe.configs.standardization import Standardization
from audiopipe.errors import ConfigError
from audiopipe.signal.windows import WINDOW_NAMES

CLASSES = (
    StftMagnitude,
    MelSpectrogram,
    LogFrequencySpectrogram,
    KerasMelSpectrogram,
    Stft,
    StftMagPhase,
    WhisperLogMel,
)

# Published fingerprints, which are stored with the features of users. If one of them changes, existing features are
# refused. To change the values of a feature, raise `kernel_version`. To add a field, use `later_field`.
GOLDEN = {
    StftMagnitude: "2691f67e4f738dd217349d895fd9be399902261ec078e879196c19c40bae14cd",
    MelSpectrogram: "3e120d52f4983e7a78ed03c450863a871d24218f5967b3b26dfe47456645a20b",
    KerasMelSpectrogram: "ebb36e2e3abad6c9c32deb5b481d0d947bcfbb1a4f61cdf297be1b81447568ea",
    LogFrequencySpectrogram: "21c1b4842c355500e82c6d9b73ea8a74de27f3165633743428a188e2221a453e",
    Stft: "4aac671e5304e49323b380170cdcd12fb33dab8bfd21e7ac59a50cb470c8dc43",
    StftMagPhase: "53ed5ef08da331745788a690b612c88ff45432864c7031074ea1d3ba5a7746ef",
    LogMel: "423133f00bcaa76825567d342b5630a02d2ed1650819d4cc7274d056c704c4c8",
    Mfcc: "0854feb4309e4c1f51017ac002dfeadc2e6c02fbe386678d32aa88ee4987988d",
    NormalizedWaveform: "3ec6ce10015e724da6a68f222e6903cf876cefa9d249f68ab1ffb0ec189f07e2",
    WhisperLogMel: "127e8b3c3275eff122828574b06d03a2c3b59d2b578440036d7ff424f460092f",
}
GOLDEN_NAMES = {
    "ast": "8f8e59fb4bffaf3a8bbd30901daf42df3337cf687ed98baba1027023c811d457",
    "beats": "c710a586d34d83addf65ae71d28acaaa11ba2010771f1cb23442c2c02a3856f5",
    "bigvgan-24k-100": "f2c0f7cfa55dcdf4562c2ca67f7f5b5c9dcbf63b454d8b01d61d727ed091b5da",
    "clap-fused": "a229f496b2b5abcf881a0478ec1079935f1f8a4c9883b65b90c4a56c4daaff82",
    "clap-unfused": "9a73786cb7a4ffd9f7d05a673cc84059f30d667eb47e3b6e9f6aeca4ae4a3baf",
    "gemma3n-128": "a99551261711bf1282e1a18c5c905a2b81a7572e2fa7b5af8e17390aef5ea97e",
    "hifigan-22k-80": "cd8b0ffd8819cc444a929279aaee4acff9a46db9cd207bff2f66a435259811bc",
    "kaldi-fbank-80": "bf5642db16b12c0f6852b555b037656d54f46d6215267745f7f0d7761edb27e7",
    "lasr-128": "1b04d9659c52afe7aa6d23307619ca74427ecc3baf47ed03425db15194ad9f88",
    "lhotse-fbank-80": "7fc1a5bf1f710ec6663369ddd02447ee4bdfee4cf4d2b475aaec6b8b8b508379",
    "librosa-mel-128": "90cedb942735e67769cfd8aeff69bde013352e9f54579f97015af1c6675c66f3",
    "music-log-84": "bcd78220ccf3f39dcb42940b5f87954e2fcdc7dd3d5110fa3af9235b5e5fbc73",
    "music-mel-128": "ccdbe389831ffa1954ff27eca808c547d5e3bcdeb3ede65d1a131f09e61f6cee",
    "musicnn-96": "5d889be1e44c168c4f6e9a6627e35698dd2ed31e28b7cec8563b1973b2115f97",
    "nemo-mel-128": "2ed9d37e1ccec0ee40300907497dd9fd7cca41f6cb069f905727e2a6a64b2ed9",
    "nemo-mel-80": "cded1991644c9846677abdba52094474855107fca9cee8ff8d03824028e0f52d",
    "panns-32k-64": "2e8ffa33bb9e50c75156c731795ba585b0b3034b53b784d79ba5090c013337b3",
    "seamless-m4t": "f1b7f690aff40c3f515195e10c6d5e2c99516be320a27f2ba76927d5508694bb",
    "speech-mel-80": "b81f7bc25c84b958766e69c6147a22de9da093d98f953baeb15dd9e50e7bf1b8",
    "speech-to-text": "43a554168a194ab6ba466c51575a8014dc149ed3afd1fe21335e5b990e75c3df",
    "speecht5": "db91782bbff54bab9a1ae0945d8720c0bb71e51eac7aa240b6bb09f455642a83",
    "tacotron2-80": "d165cf2f64122a0956dadaf2a70870c80220008faf17bd5a2ac17cf827abc4fe",
    "torchaudio-mel-128": "24f0d2fbc0eb05844940c17920c5a7d299f7031f33d90f57adbf7c4fb25042a6",
    "univnet": "f2c0f7cfa55dcdf4562c2ca67f7f5b5c9dcbf63b454d8b01d61d727ed091b5da",
    "vggish": "6a9da1421eb29afd4bd39de7efd1c8da6b1dd0f36aa8b3c0d3bde82c385da91d",
    "w2v-bert": "8dc6a502e8a26e7784625f894e85d58e085384739faac3fe7645e033f757946f",
    "wenet-80": "26155efa1cb81bc435a943af4e742b9adf18be0d968b73139f716f3450bdb49c",
    "whisper-128": "cdd189270b734127922b53a68df0f4b0a69ac4d5be2b4e68d730ade73cd89ef8",
    "whisper-80": "127e8b3c3275eff122828574b06d03a2c3b59d2b578440036d7ff424f460092f",
    "yamnet": "ec43ebd9c0fffabf539304d2211ff49aaa230a6386d61f4af89dc2cfd2f7d306",
}

# A valid value of each field that is not its default.
OTHER_VALUES = {
    "sample_rate": 24000,
    "channels": 2,
    "channel": 0,
    "standardization": Standardization(mean=[[0.5]], std=[[2.0]]),
    "resampler_quality": "VHQ",
    "n_fft": 4096,
    "win_length": 1024,
    "hop_length": 100,
    "window_name": "hamming_window",
    "pad_begin": True,
    "pad_end": True,
    "return_decibel": True,
    "db_amin": 1e-7,
    "db_ref_value": 2.0,
    "db_dynamic_range": 60.0,
    "input_data_format": "channels_first",
    "output_data_format": "channels_first",
    "n_mels": 64,
    "mel_f_min": 20.0,
    "mel_f_max": 8000.0,
    "mel_htk": True,
    "mel_norm": None,
    "log_n_bins": 72,
    "log_f_min": 55.0,
    "log_bins_per_octave": 24,
    "log_spread": 0.25,
    "fft_length": 4096,
    "sequence_stride": 100,
    "sequence_length": 1024,
    "window": "hamming",
    "num_mel_bins": 64,
    "min_freq": 50.0,
    "max_freq": 7000.0,
    "power_to_db": False,
    "top_db": 60.0,
    "mag_exp": 1.0,
    "min_power": 1e-7,
    "ref_power": 2.0,
    "chunk_seconds": None,
}
ONLY_ONE_VALUE = {cls: {"decoder", "resampler"} for cls in CLASSES}
ONLY_ONE_VALUE[WhisperLogMel].add("sample_rate")


def _framings():
    return {
        "n_fft": st.integers(16, 600),
        "win_length": st.integers(1, 8).map(lambda half: 2 * half),
        "hop_length": st.none() | st.integers(1, 500),
        "window_name": st.none() | st.sampled_from(WINDOW_NAMES),
        "channels": st.none() | st.integers(1, 64),
        "resampler_quality": st.sampled_from(["QQ", "LQ", "MQ", "HQ", "VHQ"]),
        **{name: st.booleans() for name in ("pad_begin", "pad_end")},
        **{
            name: st.sampled_from(["default", "channels_last", "channels_first"])
            for name in ("input_data_format", "output_data_format")
        },
    }


def _decibels():
    return {
        "return_decibel": st.booleans(),
        "db_amin": st.floats(1e-30, 1.0),
        "db_dynamic_range": st.floats(0.001, 300.0),
    }


VALID = st.one_of(
    st.builds(Stft, sample_rate=st.integers(1, 192000), **_framings()),
    st.builds(StftMagPhase, sample_rate=st.integers(1, 192000), **_framings(), **_decibels()),
    st.builds(StftMagnitude, sample_rate=st.integers(1, 192000), **_framings(), **_decibels()),
    st.builds(
        MelSpectrogram,
        **_framings(),
        **_decibels(),
        sample_rate=st.integers(8000, 96000),
        n_mels=st.integers(1, 200),
        mel_f_min=st.floats(0.0, 1000.0),
        mel_f_max=st.none() | st.floats(1001.0, 4000.0),
        mel_htk=st.booleans(),
        mel_norm=st.sampled_from(["slaney", "inf", None]) | st.floats(0.5, 8.0),
    ),
    st.builds(
        LogFrequencySpectrogram,
        sample_rate=st.integers(16000, 48000),
        n_fft=st.just(2048),
        log_n_bins=st.integers(1, 60),
        log_f_min=st.none() | st.floats(30.0, 100.0),
        log_bins_per_octave=st.integers(12, 24),
        log_spread=st.floats(0.5, 2.0),
    ),
    st.builds(
        KerasMelSpectrogram,
        fft_length=st.integers(3, 600),
        sequence_length=st.just(3),
        sequence_stride=st.integers(1, 500),
        window=st.sampled_from(["hann", "hamming", None]) | st.lists(st.floats(0, 1), min_size=3, max_size=3),
        max_freq=st.none() | st.floats(100.0, 8000.0),
        mag_exp=st.floats(0.5, 3.0),
        ref_power=st.floats(1e-30, 100.0),
    ),
    st.builds(
        WhisperLogMel,
        channels=st.none() | st.integers(1, 64),
        n_mels=st.integers(1, 200),
        chunk_seconds=st.none() | st.integers(1, 10_000).map(lambda frames: frames / 100),
    ),
)


def _fingerprint_by_hand(fields, kernel_version):
    later = {"channel": None, "standardization": None}
    fields = {name: value for name, value in fields.items() if name not in later or value != later[name]}
    content = {"config": fields, "kernel_version": kernel_version}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _next_release(field, cls=MelSpectrogram, kind=float):
    """Returns the class as a later release might define it, with one more field, `added`."""
    later = dataclasses.make_dataclass(cls.__name__, [("added", kind, field)], bases=(cls,), frozen=True, kw_only=True)
    later.__module__ = cls.__module__
    return later


@pytest.mark.parametrize("cls", GOLDEN)
def test_published_fingerprints_of_defaults_never_change(cls):
    assert cls().fingerprint == GOLDEN[cls]


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_published_fingerprints_of_built_in_names_never_change(name):
    assert registry.Registry(environment=False).get(name).fingerprint == GOLDEN_NAMES[name]


def test_fingerprint_is_sha256_of_canonical_json():
    fields = {
        "feature": "StftMagnitude",
        "sample_rate": 16000,
        "channels": None,
        "decoder": "soundfile",
        "resampler": "soxr",
        "resampler_quality": "HQ",
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 100,
        "window_name": "hann_window",
        "pad_begin": False,
        "pad_end": True,
        "return_decibel": False,
        "db_amin": 1e-05,
        "db_ref_value": 1.0,
        "db_dynamic_range": 80.0,
        "input_data_format": "channels_last",
        "output_data_format": "channels_first",
    }
    config = StftMagnitude(
        sample_rate=16000,
        channels=None,
        n_fft=512,
        win_length=400,
        pad_end=True,
        input_data_format="channels_last",
        output_data_format="channels_first",
    )
    assert config.to_dict() == {**fields, "channel": None, "standardization": None}
    assert config.fingerprint == _fingerprint_by_hand(fields, config.kernel_version)


@settings(max_examples=60, deadline=None)
@given(VALID)
def test_json_round_trip_keeps_config_and_fingerprint(config):
    again = configs.from_json(config.to_json())
    assert again == config
    assert (
        again.fingerprint
        == config.fingerprint
        == _fingerprint_by_hand(json.loads(config.to_json()), config.kernel_version)
    )
    assert "default" not in config.to_dict().values()
    assert config.diff(again) == ""


@pytest.mark.parametrize(
    ("canonical", "same"),
    [
        ({"n_fft": 1024}, {"n_fft": np.int64(1024)}),
        ({"channels": 2}, {"channels": np.uint8(2)}),
        ({"mel_f_max": 8000.0}, {"mel_f_max": 8000}),
        ({"mel_f_max": 8000.0}, {"mel_f_max": np.float64(8000)}),
        ({"db_dynamic_range": 60.0}, {"db_dynamic_range": np.int32(60)}),
        ({"mel_norm": 1.0}, {"mel_norm": 1}),
        ({"mel_norm": "inf"}, {"mel_norm": np.inf}),
        ({"window_name": "hann_window"}, {"window_name": None}),
        ({"mel_f_max": 11025.0}, {"mel_f_max": None}),
        ({"win_length": 2048, "hop_length": 512}, {"win_length": None, "hop_length": None}),
        ({"pad_end": True}, {"pad_end": np.True_}),
        ({"return_decibel": False}, {"return_decibel": np.bool_(False)}),
        ({"resampler_quality": "VHQ"}, {"resampler_quality": np.str_("VHQ")}),
        ({"window_name": "kaiser_window"}, {"window_name": np.str_("kaiser_window")}),
        ({"output_data_format": "channels_first"}, {"output_data_format": np.str_("channels_first")}),
        ({"mel_norm": "slaney"}, {"mel_norm": np.str_("slaney")}),
    ],
)
def test_equivalent_arguments_give_the_same_fingerprint(canonical, same):
    assert MelSpectrogram(**same) == MelSpectrogram(**canonical)
    assert MelSpectrogram(**same).fingerprint == MelSpectrogram(**canonical).fingerprint
    assert MelSpectrogram(**same).to_json() == MelSpectrogram(**canonical).to_json()
    plain = {type(value) for value in MelSpectrogram(**same).to_dict().values()}
    assert plain <= {str, int, float, bool, type(None)}


def test_a_later_field_changes_the_fingerprint_only_if_it_is_set():
    later = _next_release(configs.later_field(0.0))
    assert "added" in later().to_dict()
    assert later(n_mels=40).fingerprint == MelSpectrogram(n_mels=40).fingerprint
    assert later(n_mels=40, added=0).fingerprint == MelSpectrogram(n_mels=40).fingerprint
    assert later(n_mels=40, added=0.5).fingerprint != MelSpectrogram(n_mels=40).fingerprint


def _resolved_to(expected):
    """Returns a check of a field that replaces None by `expected`."""
    return lambda name, value: expected if value is None else value


@pytest.mark.parametrize(
    ("default", "kind", "check", "same", "other"),
    [
        (None, float | None, _resolved_to(8000.0), 8000.0, 4000.0),
        (None, str | None, _resolved_to("hann_window"), "hann_window", "hamming_window"),
        ((), tuple, lambda name, value: tuple(map(float, value)), [], [1, 2.5]),
        (1, float, None, 1.0, 2),
    ],
)
def test_a_later_field_that_construction_resolves_changes_the_fingerprint_only_if_it_is_set(
    default, kind, check, same, other
):
    later = _next_release(configs.later_field(default, check), kind=kind)
    before = MelSpectrogram(n_mels=40).fingerprint
    assert later(n_mels=40).fingerprint == later(n_mels=40, added=same).fingerprint == before
    assert later(n_mels=40, added=other).fingerprint != before
    assert "added" in json.loads(later(n_mels=40).to_json())


def test_a_later_field_may_have_a_default_that_depends_on_other_fields():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(MelSpectrogram):
        upper: float | None = configs.later_field(None)

        def _checked(self):
            checked = super()._checked()
            checked["upper"] = checked["mel_f_max"] if self.upper is None else checked["upper"]
            if checked["mel_htk"] and self.upper is None:
                raise ConfigError("upper must be given with mel_htk.")
            return checked

    Later.__module__, Later.__qualname__ = MelSpectrogram.__module__, MelSpectrogram.__qualname__
    assert Later().upper == 11025.0
    assert Later().fingerprint == MelSpectrogram().fingerprint == Later(upper=11025).fingerprint
    assert Later(mel_f_max=4000).fingerprint == MelSpectrogram(mel_f_max=4000).fingerprint
    assert Later(mel_f_max=4000, upper=11025).fingerprint != MelSpectrogram(mel_f_max=4000).fingerprint
    assert "upper" in Later(mel_htk=True, upper=11025).identity()  # the default is not valid with mel_htk


def test_a_later_field_must_not_depend_on_a_setting_of_the_process():
    with pytest.raises(ConfigError, match=r"must mean the same in every process\. Received: default='default'"):
        configs.later_field("default")


def test_a_new_field_that_is_not_a_later_field_changes_the_fingerprint():
    assert _next_release(dataclasses.field(default=0.0))().fingerprint != MelSpectrogram().fingerprint


def test_json_of_an_earlier_release_keeps_its_fingerprint_in_a_later_release(monkeypatch):
    later = _next_release(configs.later_field(0.0))
    written = MelSpectrogram(n_mels=40).to_json()
    monkeypatch.setitem(config_classes._classes, "MelSpectrogram", later)
    read = configs.from_json(written)
    assert type(read) is later
    assert read.fingerprint == MelSpectrogram(n_mels=40).fingerprint


def test_the_kernel_version_changes_the_fingerprint(monkeypatch):
    before = MelSpectrogram()
    fields = before.to_dict()
    monkeypatch.setattr(MelSpectrogram, "kernel_version", 9)
    assert MelSpectrogram().fingerprint == before.fingerprint_at(9) == _fingerprint_by_hand(fields, kernel_version=9)
    assert MelSpectrogram().fingerprint != GOLDEN[MelSpectrogram]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_field_changes_the_fingerprint(cls):
    names = {item.name for item in dataclasses.fields(cls)} - ONLY_ONE_VALUE[cls]
    assert names <= OTHER_VALUES.keys()
    prints = {cls(**{name: OTHER_VALUES[name]}).fingerprint for name in names}
    assert len(prints | {cls().fingerprint}) == len(names) + 1


def test_features_with_equal_arguments_have_different_fingerprints():
    assert len({cls(sample_rate=16000).fingerprint for cls in CLASSES}) == len(CLASSES)
    assert StftMagnitude() != MelSpectrogram()


def test_fields_missing_from_json_take_their_defaults():
    assert configs.from_json('{"feature": "MelSpectrogram", "n_mels": 64}') == MelSpectrogram(n_mels=64)


def test_diff_names_both_values_of_each_field():
    left = MelSpectrogram(sample_rate=16000, n_mels=80)
    assert left.diff(MelSpectrogram(sample_rate=16000, n_mels=64, hop_length=160)).splitlines() == [
        "hop_length: 512 != 160",
        "n_mels: 80 != 64",
    ]
    assert left.diff(left, other_kernel_version=7) == f"kernel_version: {left.kernel_version} != 7"


def test_diff_of_two_features_starts_with_the_feature():
    lines = MelSpectrogram(sample_rate=16000).diff(StftMagnitude()).splitlines()
    assert lines[:2] == ["feature: 'MelSpectrogram' != 'StftMagnitude'", "sample_rate: 16000 != 22050"]


def test_diff_of_two_features_lists_only_fields_that_both_have():
    mel, log_mel = MelSpectrogram(), LogMel()
    lines = mel.diff(log_mel).splitlines()
    fields = [{field.name for field in dataclasses.fields(config)} for config in (mel, log_mel)]
    *listed, last = lines
    assert {line.partition(":")[0] for line in listed[1:]} < fields[0] & fields[1]
    counts = len(fields[0] - fields[1]), len(fields[1] - fields[0])
    assert last == (
        f"Not listed: {counts[0]} fields that only MelSpectrogram has, and {counts[1]} fields that only LogMel has."
    )


@pytest.mark.parametrize(
    ("canonical", "same"),
    [
        ({"window": (0.5, 1.0, 0.25)}, {"window": np.float32([0.5, 1.0, 0.25])}),
        ({"window": (0.5, 1.0, 0.25)}, {"window": [0.5, 1, 0.25]}),
        ({"window": None}, {"window": None, "sequence_length": 2}),
        ({"max_freq": 8000.0}, {"max_freq": None}),
        ({"sequence_length": 3}, {"sequence_length": None}),
    ],
)
def test_equivalent_arguments_of_the_keras_config_give_the_same_fingerprint(canonical, same):
    canonical, same = (KerasMelSpectrogram(**{"fft_length": 3, **fields}) for fields in (canonical, same))
    assert same == canonical
    assert hash(same) == hash(canonical)
    assert same.fingerprint == canonical.fingerprint == configs.from_json(same.to_json()).fingerprint


def test_equivalent_chunk_lengths_give_the_same_fingerprint():
    assert WhisperLogMel(chunk_seconds=30).fingerprint == WhisperLogMel().fingerprint
    assert WhisperLogMel(chunk_seconds=0.1 + 0.2).fingerprint == WhisperLogMel(chunk_seconds=0.3).fingerprint
