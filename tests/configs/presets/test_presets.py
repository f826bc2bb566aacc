"""Built-in configs: their names, families and docstrings. tests/front_ends compares their values with references."""

import dataclasses
import subprocess
import sys

import pytest

from audiopipe import configs, registry
from audiopipe.configs import presets
from audiopipe.configs.presets import families
from audiopipe.signal import filterbanks

# A name never changes its meaning, so none of them may disappear.
NAMES = {
    "ast",
    "beats",
    "bigvgan-24k-100",
    "clap-fused",
    "clap-unfused",
    "gemma3n-128",
    "hifigan-22k-80",
    "kaldi-fbank-80",
    "lasr-128",
    "lhotse-fbank-80",
    "librosa-mel-128",
    "music-log-84",
    "music-mel-128",
    "musicnn-96",
    "nemo-mel-128",
    "nemo-mel-80",
    "panns-32k-64",
    "seamless-m4t",
    "speech-mel-80",
    "speech-to-text",
    "speecht5",
    "tacotron2-80",
    "torchaudio-mel-128",
    "univnet",
    "vggish",
    "w2v-bert",
    "wenet-80",
    "whisper-128",
    "whisper-80",
    "yamnet",
}


def test_every_name_is_registered_and_belongs_to_one_family():
    assert set(presets.presets()) == NAMES <= set(registry.names())
    in_families = [name for family in families().values() for name in family]
    assert sorted(in_families) == sorted(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES - {"speech-mel-80", "music-mel-128", "music-log-84"}))
def test_every_preset_says_who_uses_it_where_its_numbers_are_from_and_how_well_it_agrees(name):
    function, module = find(name)
    text = f"{function.__doc__} {module.__doc__}"
    assert "Used by: " in function.__doc__
    assert "Agreement: " in function.__doc__
    assert "Source" in text
    assert "https://" in text
    assert len(function.__doc__.partition("\n")[0]) <= 100


def find(name):
    for module in presets._FAMILIES.values():
        if name.replace("-", "_") in module.__all__:
            return getattr(module, name.replace("-", "_")), module
    raise AssertionError(name)


def test_presets_do_not_depend_on_a_setting_of_keras():
    for config in presets.presets().values():
        assert (config.input_data_format, config.output_data_format) == ("channels_last", "channels_last")
        assert (config.channels, config.channel) == (1, None)


def test_presets_need_no_tensorflow():
    code = "import sys; from audiopipe import registry; registry.get('ast'); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_feature_has_one_fingerprint_under_several_names():
    assert registry.get("bigvgan-24k-100").fingerprint == registry.get("univnet").fingerprint


@pytest.mark.parametrize(
    ("name", "seconds", "rows", "valid"),
    [
        ("kaldi-fbank-80", 1, 98, 98),
        ("lhotse-fbank-80", 1, 100, 100),
        ("ast", 1, 1024, 98),
        ("ast", 11, 1024, 1024),
        ("seamless-m4t", 1, 49, 49),
        ("seamless-m4t", 399 / 160, 124, 123),
        ("nemo-mel-80", 1, 101, 100),
        ("clap-fused", 1, 1001, 1001),
        ("univnet", 1, 93, 93),
        ("gemma3n-128", 1, 97, 97),
        ("vggish", 0.025, 1, 1),
        ("vggish", 0.0249375, 0, 0),
        ("librosa-mel-128", 1, 44, 44),
    ],
)
def test_rows_are_those_of_the_published_front_end(name, seconds, rows, valid):
    config = registry.get(name)
    n_samples = round(seconds * config.sample_rate)
    assert (config.n_frames(n_samples), config.valid_frames(n_samples)) == (rows, valid)


def test_padding_is_that_of_the_front_end():
    assert registry.get("ast").padding == pytest.approx(4.2677393 / (2 * 4.5689974))
    assert registry.get("w2v-bert").padding == 1
    for name in ("seamless-m4t", "speech-to-text", "nemo-mel-128", "speecht5"):
        assert registry.get(name).padding == 0


def test_only_clap_refuses_long_clips():
    longest = {name: config.max_samples for name, config in presets.presets().items() if config.max_samples}
    assert longest == {"clap-fused": 480000, "clap-unfused": 480000}


def has_empty_bands(config):
    n_freq, htk = config.n_fft // 2 + 1, config.mel_scale == "htk"
    bands = (config.n_mels, config.f_min, config.f_max, htk, config.mel_norm)
    filters = filterbanks.mel(config.sample_rate, n_freq, *bands, triangles=config.mel_triangles, warn_of_empty=False)
    return bool((filters.max(axis=0) == 0).any())


def test_presets_with_empty_bands_give_no_warning():
    log_mels = {name: config for name, config in presets.presets().items() if isinstance(config, configs.LogMel)}
    empty = {name for name, config in log_mels.items() if has_empty_bands(config)}
    assert empty == {"ast", "beats", "lasr-128", "torchaudio-mel-128"}
    for name in empty:  # warnings are errors here
        log_mels[name].layer()
        dataclasses.replace(log_mels[name], channels=None).layer()


def test_other_configs_with_empty_bands_give_a_warning():
    config = dataclasses.replace(registry.get("ast"), n_mels=129)
    with pytest.warns(UserWarning, match="of 129 mel filters reach no frequency bin"):
        config.layer()
