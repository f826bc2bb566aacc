"""Configs: validation, JSON, fingerprints and layers."""

import copy
import dataclasses
import hashlib
import inspect
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import configs, registry
from audiopipe.configs import (
    KerasMelSpectrogram,
    LogFrequencySpectrogram,
    MelSpectrogram,
    Stft,
    StftMagnitude,
    StftMagPhase,
    WhisperLogMel,
    config_classes,
)
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
    WhisperLogMel: "127e8b3c3275eff122828574b06d03a2c3b59d2b578440036d7ff424f460092f",
}
GOLDEN_NAMES = {
    "music-log-84": "bcd78220ccf3f39dcb42940b5f87954e2fcdc7dd3d5110fa3af9235b5e5fbc73",
    "music-mel-128": "ccdbe389831ffa1954ff27eca808c547d5e3bcdeb3ede65d1a131f09e61f6cee",
    "speech-mel-80": "b81f7bc25c84b958766e69c6147a22de9da093d98f953baeb15dd9e50e7bf1b8",
    "whisper-80": "127e8b3c3275eff122828574b06d03a2c3b59d2b578440036d7ff424f460092f",
    "whisper-128": "cdd189270b734127922b53a68df0f4b0a69ac4d5be2b4e68d730ade73cd89ef8",
}

# A valid value of each field that is not its default.
OTHER_VALUES = {
    "sample_rate": 24000,
    "channels": 2,
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
    content = {"config": fields, "kernel_version": kernel_version}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _next_release(field, cls=MelSpectrogram, kind=float):
    """Returns the class as a later release might define it, with one more field, `added`."""
    later = dataclasses.make_dataclass(cls.__name__, [("added", kind, field)], bases=(cls,), frozen=True, kw_only=True)
    later.__module__ = cls.__module__
    return later


@pytest.mark.parametrize("cls", CLASSES)
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
    assert config.to_dict() == fields
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


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_default_data_format_comes_from_keras_json_before_keras_is_imported(tmp_path, data_format):
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": data_format}))
    code = (
        "import sys; from audiopipe import configs; c = configs.MelSpectrogram(output_data_format='channels_last');"
        "print(c.input_data_format, c.output_data_format, 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [data_format, "channels_last", "False"]


@pytest.mark.parametrize("content", ["{}", "this is no JSON"])
def test_default_data_format_is_channels_last_if_keras_json_does_not_say(tmp_path, monkeypatch, content):
    (tmp_path / "keras.json").write_text(content)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert StftMagnitude().input_data_format == "channels_last"


def test_default_data_format_is_fixed_on_construction():
    import keras

    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        config = MelSpectrogram()
        keras.config.set_image_data_format("channels_last")
        assert (config.input_data_format, config.output_data_format) == ("channels_first", "channels_first")
        assert json.loads(config.to_json())["input_data_format"] == "channels_first"
        assert MelSpectrogram().input_data_format == "channels_last"
    finally:
        keras.config.set_image_data_format(before)


def test_fields_cannot_be_assigned():
    with pytest.raises(dataclasses.FrozenInstanceError, match="n_mels"):
        MelSpectrogram().n_mels = 64


@pytest.mark.parametrize("cls", CLASSES)
def test_positional_arguments_are_refused(cls):
    with pytest.raises(TypeError, match="positional"):
        cls(16000)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))])
def test_copies_are_the_same_config(make):
    config = MelSpectrogram(n_mels=40, mel_norm=2)
    assert make(config) == config
    assert make(config).fingerprint == config.fingerprint
    assert hash(make(config)) == hash(config)


@pytest.mark.parametrize("cls", CLASSES)
def test_fields_are_the_arguments_of_the_composed_function_with_its_defaults(cls):
    from audiopipe import composed

    arguments = inspect.signature(getattr(composed, cls.composed)).parameters
    fields = {item.name: item.default for item in dataclasses.fields(cls)}
    of_the_audio = {"sample_rate", "channels", "decoder", "resampler", "resampler_quality"}
    assert set(fields) - of_the_audio <= set(arguments)
    assert set(arguments) - set(fields) == {"input_shape", "name"}
    assert {name: fields[name] for name in fields if name in arguments} == {
        name: argument.default for name, argument in arguments.items() if name in fields
    }


@pytest.mark.parametrize(
    ("cls", "function", "arguments"),
    [
        (StftMagnitude, "get_stft_magnitude_layer", {"n_fft": 512, "win_length": 400, "pad_end": True}),
        (
            MelSpectrogram,
            "get_melspectrogram_layer",
            {"sample_rate": 16000, "n_fft": 512, "n_mels": 40, "mel_htk": True, "return_decibel": True},
        ),
        (
            LogFrequencySpectrogram,
            "get_log_frequency_spectrogram_layer",
            {"sample_rate": 16000, "n_fft": 1024, "log_n_bins": 40, "log_f_min": 100.0, "db_dynamic_range": 50.0},
        ),
    ],
)
def test_layer_is_the_composed_layer_under_any_policy(cls, function, arguments):
    import keras

    from audiopipe import composed

    clips = np.random.default_rng(0).standard_normal((2, 3000, 1)).astype("float32")
    expected = getattr(composed, function)(**arguments)(clips).numpy()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = cls(**arguments).layer()
        result = layer(clips).numpy()
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(policy)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)
    assert layer.config_json == cls(**arguments).to_json()


def test_layer_equals_a_float64_reference_under_a_mixed_policy():
    import keras

    clip = np.random.default_rng(1).standard_normal(2000).astype("float32")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = StftMagnitude(n_fft=256, hop_length=100).layer()(clip[None, :, None]).numpy()[0, :, :, 0]
    finally:
        keras.config.set_dtype_policy(policy)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    frames = np.stack([clip[start : start + 256].astype("float64") for start in range(0, 2000 - 255, 100)])
    # float16 keeps 11 bits, so this tolerance fails if any step computes in half precision.
    expected = np.abs(np.fft.rfft(frames * window))
    np.testing.assert_allclose(result, expected, atol=1e-6 * expected.max(), rtol=1e-5)


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
    lines = MelSpectrogram().diff(StftMagnitude()).splitlines()
    assert lines[0] == "feature: 'MelSpectrogram' != 'StftMagnitude'"
    assert "n_mels: 128 != '(no such field)'" in lines


def test_frequencies_of_bins_equal_independent_formulas():
    librosa = pytest.importorskip("librosa")
    np.testing.assert_allclose(
        StftMagnitude(sample_rate=16000, n_fft=400).frequencies(), librosa.fft_frequencies(sr=16000, n_fft=400)
    )
    mel = MelSpectrogram(sample_rate=16000, n_fft=400, n_mels=40, mel_f_min=50.0)
    np.testing.assert_allclose(mel.frequencies(), librosa.mel_frequencies(42, fmin=50.0, fmax=8000.0)[1:-1], rtol=1e-9)
    log = LogFrequencySpectrogram()
    np.testing.assert_allclose(log.frequencies(), librosa.cqt_frequencies(84, fmin=32.70319566), rtol=1e-9)
    assert (mel.n_bins, log.n_bins) == (40, 84)


def test_frame_times_are_negative_in_the_padding_before_the_clip():
    config = StftMagnitude(sample_rate=1000, n_fft=400, hop_length=100, pad_begin=True)
    np.testing.assert_allclose(config.frame_times(5), [-0.3, -0.2, -0.1, 0.0, 0.1])
    assert [config.n_frames(samples) for samples in (0, 99, 100, 250)] == [0, 0, 1, 2]


def test_feature_shape_follows_the_output_data_format():
    assert MelSpectrogram(output_data_format="channels_last").feature_shape(7, 2) == (7, 128, 2)
    assert MelSpectrogram(output_data_format="channels_first").feature_shape(None, 2) == (2, None, 128)


@pytest.mark.parametrize(
    ("config", "quantities"),
    [
        (StftMagnitude(), ("magnitude",)),
        (MelSpectrogram(return_decibel=True), ("decibel",)),
        (Stft(), ("real part", "imaginary part")),
        (StftMagPhase(), ("magnitude", "phase")),
        (StftMagPhase(return_decibel=True), ("decibel", "phase")),
        (KerasMelSpectrogram(), ("decibel",)),
        (KerasMelSpectrogram(power_to_db=False), ("power",)),
        (KerasMelSpectrogram(power_to_db=False, mag_exp=1), ("magnitude",)),
        (WhisperLogMel(), ("scaled log power",)),
    ],
)
def test_a_feature_has_channels_for_each_quantity(config, quantities):
    config = dataclasses.replace(config, channels=3, output_data_format="channels_last")
    assert config.quantities == quantities
    assert config.feature_channels == 3 * len(quantities)
    assert dataclasses.replace(config, channels=None).feature_channels is None
    assert config.feature_shape(7, 3) == (7, config.n_bins, 3 * len(quantities))
    assert config.feature_shape(7, None) == (7, config.n_bins, None)
    first = dataclasses.replace(config, output_data_format="channels_first")
    assert first.feature_shape(None, 2) == (2 * len(quantities), None, config.n_bins)


@pytest.mark.parametrize("cls", [Stft, StftMagPhase])
def test_features_with_two_quantities_equal_a_float64_reference(cls):
    clip = np.random.default_rng(1).standard_normal(2000).astype("float32")
    config = cls(n_fft=256, hop_length=100, input_data_format="channels_last", output_data_format="channels_last")
    result = config.layer()(clip[None, :, None]).numpy()[0]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    spectrogram = np.fft.rfft([clip[start : start + 256] * window for start in range(0, 2000 - 255, 100)])
    if cls is StftMagPhase:
        result = result[..., 0] * np.exp(1j * result[..., 1])
    else:
        result = result[..., 0] + 1j * result[..., 1]
    np.testing.assert_allclose(result, spectrogram, atol=1e-6 * np.abs(spectrogram).max())


def test_a_config_without_decibels_has_no_decibel_fields():
    with pytest.raises(ConfigError, match="Stft has no field 'return_decibel'"):
        configs.from_json('{"feature": "Stft", "return_decibel": true}')


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


def test_frames_of_the_keras_config_are_centred():
    config = KerasMelSpectrogram(sample_rate=1000, fft_length=400, sequence_length=300, sequence_stride=100)
    starts = config.frame_times(4)
    np.testing.assert_allclose(starts, [-0.15, -0.05, 0.05, 0.15])
    assert [config.n_frames(samples) for samples in (0, 1, 99, 100, 250)] == [0, 1, 1, 2, 3]


def test_frequencies_of_the_keras_config_are_the_peaks_of_its_filters():
    import keras

    config = KerasMelSpectrogram(fft_length=16384, num_mel_bins=20, min_freq=100.0)
    matrix = keras.layers.MelSpectrogram().linear_to_mel_weight_matrix(20, 8193, 16000, 100.0, 8000.0).numpy()
    np.testing.assert_allclose(config.frequencies(), matrix.argmax(axis=0) * 16000 / 16384, atol=1.0)
    assert config.n_bins == 20


@pytest.mark.parametrize(
    ("arguments", "quantity"),
    [({}, "decibel"), ({"power_to_db": False}, "power"), ({"power_to_db": False, "mag_exp": 1.0}, "magnitude")],
)
def test_the_keras_config_names_its_quantity(arguments, quantity):
    assert KerasMelSpectrogram(**arguments).quantities == (quantity,)


def test_frames_of_the_whisper_config_are_centred():
    starts = WhisperLogMel().frame_times(3000)
    np.testing.assert_allclose(starts[[0, 1, 2999]], [-0.0125, -0.0025, 29.9775])
    assert [WhisperLogMel().n_frames(samples) for samples in (0, 1, 480_000, 1_000_000)] == [3000] * 4
    assert [WhisperLogMel(chunk_seconds=None).n_frames(samples) for samples in (0, 159, 160, 16000)] == [0, 0, 1, 100]


def test_frequencies_of_the_whisper_config_are_the_peaks_of_its_filters():
    librosa = pytest.importorskip("librosa")
    config = WhisperLogMel(n_mels=20)
    matrix = librosa.filters.mel(sr=16000, n_fft=16384, n_mels=20)
    np.testing.assert_allclose(config.frequencies(), matrix.argmax(axis=1) * 16000 / 16384, atol=1.0)
    assert config.n_bins == 20


def test_equivalent_chunk_lengths_give_the_same_fingerprint():
    assert WhisperLogMel(chunk_seconds=30).fingerprint == WhisperLogMel().fingerprint
    assert WhisperLogMel(chunk_seconds=0.1 + 0.2).fingerprint == WhisperLogMel(chunk_seconds=0.3).fingerprint
