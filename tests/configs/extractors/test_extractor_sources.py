"""The forms in which `from_extractor` takes an extractor, and what it refuses."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import transformers
from extractors import CLAP, PRESETS, SAVED, WITHOUT_TORCH, default
from hypothesis import given
from hypothesis import strategies as st

from audiopipe import configs, registry
from audiopipe.configs.extractors import SUPPORTED, sources
from audiopipe.errors import ConfigError

WHISPER = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 128}


@pytest.mark.parametrize("class_name", sorted(PRESETS))
def test_defaults_are_the_preset(class_name):
    assert configs.from_extractor({"feature_extractor_type": class_name}) == registry.get(PRESETS[class_name])


@pytest.mark.parametrize("class_name", sorted(WITHOUT_TORCH))
def test_an_instance_its_dict_and_its_file_give_one_config(class_name, tmp_path):
    extractor = default(class_name)
    config = configs.from_extractor(extractor)
    if class_name in PRESETS:
        assert config == registry.get(PRESETS[class_name])
    extractor.save_pretrained(tmp_path)
    for other in (extractor.to_dict(), tmp_path, str(tmp_path), tmp_path / "preprocessor_config.json"):
        assert configs.from_extractor(other) == config


@pytest.mark.parametrize("class_name", sorted(SAVED))
def test_saved_files_of_classes_that_need_torch_give_the_preset(class_name, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(SAVED[class_name]))
    assert configs.from_extractor(tmp_path) == registry.get(PRESETS[class_name])


def test_wav2vec2_has_a_normalized_waveform():
    config = configs.from_extractor(transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000))
    assert config == configs.NormalizedWaveform(sample_rate=8000)


def test_padding_tells_wav2vec2_bert_from_seamless_m4t():
    config = configs.from_extractor(default("SeamlessM4TFeatureExtractor").to_dict() | {"padding_value": 1})
    assert config == registry.get("w2v-bert")


def test_the_file_of_a_clap_checkpoint_gives_the_preset():
    assert configs.from_extractor(CLAP) == registry.get("clap-fused")
    assert configs.from_extractor(CLAP | {"truncation": "rand_trunc"}) == registry.get("clap-unfused")


def test_a_processor_and_its_file_give_the_config_of_its_extractor(tmp_path):
    processor = object.__new__(transformers.WhisperProcessor)
    processor.feature_extractor = transformers.WhisperFeatureExtractor(feature_size=128)
    assert configs.from_extractor(processor) == registry.get("whisper-128")

    content = {"feature_extractor": processor.feature_extractor.to_dict(), "processor_class": "WhisperProcessor"}
    assert configs.from_extractor(content) == registry.get("whisper-128")
    path = tmp_path / "processor_config.json"
    path.write_text(json.dumps(content))
    assert configs.from_extractor(path) == configs.from_extractor(tmp_path) == registry.get("whisper-128")


def test_a_folder_is_read_as_transformers_reads_it(tmp_path):
    default("SpeechT5FeatureExtractor").save_pretrained(tmp_path)
    processor = tmp_path / "processor_config.json"
    processor.write_text(json.dumps({"processor_class": "WhisperProcessor"}))
    assert configs.from_extractor(tmp_path) == registry.get("speecht5")
    processor.write_text(json.dumps({"audio_processor": WHISPER}))
    assert configs.from_extractor(tmp_path) == registry.get("whisper-128")
    assert transformers.WhisperFeatureExtractor.from_pretrained(tmp_path).feature_size == 128


def test_scalars_of_numpy_are_numbers():
    settings = WHISPER | {"feature_size": np.int64(128), "dither": np.array(0.0)}
    assert configs.from_extractor(settings) == registry.get("whisper-128")


def test_json_needs_no_transformers(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(WHISPER))
    code = (
        "import sys; from audiopipe import configs; assert configs.from_extractor(sys.argv[1]).n_mels == 128; "
        "sys.exit(any(name in sys.modules for name in ('transformers', 'tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 0


@pytest.mark.parametrize(
    "extractor", [None, 3, [WHISPER], b"{}", object(), np.zeros(3), transformers.WhisperFeatureExtractor]
)
def test_something_else_is_refused(extractor):
    with pytest.raises(ConfigError, match=r"takes a feature extractor or processor|There is no file and no folder"):
        configs.from_extractor(extractor)


def test_a_class_of_somebody_else_is_refused():
    class Own(transformers.WhisperFeatureExtractor):
        pass

    own = object.__new__(Own)
    with pytest.raises(ConfigError, match=r'Own\..*"feature_extractor_type": "WhisperFeatureExtractor"'):
        configs.from_extractor(own)


def test_an_unknown_class_is_refused_with_the_supported_ones():
    with pytest.raises(ConfigError, match=r"WhisperFeatureExtractor, .*Received: MusicgenMelodyFeatureExtractor\."):
        configs.from_extractor({"feature_extractor_type": "MusicgenMelodyFeatureExtractor"})
    with pytest.raises(ConfigError, match=r"Received: EncodecFeatureExtractor\."):
        configs.from_extractor(transformers.EncodecFeatureExtractor())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "must name the class .* Received: the keys of an empty dict"),
        ({"feature_size": 80}, "must name the class .* Received: the keys 'feature_size'"),
        ({"feature_extractor_type": None}, "Received: feature_extractor_type=None"),
        ({"feature_extractor_type": ["WhisperFeatureExtractor"]}, "must name the class"),
        (WHISPER | {"auto_map": {"AutoFeatureExtractor": "code.Extractor"}}, "must not name code of their own"),
        ({"feature_extractor": {"feature_size": 80}}, "must name the class"),
        ({"feature_extractor": "WhisperFeatureExtractor"}, "must name the class"),
    ],
)
def test_settings_without_a_class_or_with_code_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        configs.from_extractor(settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"\xff{}", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b'{"feature_extractor": ' * 100_000, "must be JSON"),
        (b'{"feature_extractor": ' * 400 + b"{}" + b"}" * 400, "must name the class"),
        (b'{"feature_extractor_type": ' + b"[" * 900 + b"]" * 900 + b"}", "must name the class|must be JSON"),
        (b"[" * 900 + b"]" * 900, "must hold a JSON object|must be JSON"),
        (json.dumps({f"setting_{number}": 0 for number in range(1000)}).encode(), "and 990 more"),
        (json.dumps(WHISPER).encode("utf-16"), "must be JSON"),
        (
            b'{"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 1' + b"0" * 5000 + b"}",
            "must be JSON",
        ),
        (b'{"feature_size": 80, "feature_size": 128}', "each key once"),
        (b'["WhisperFeatureExtractor"]', "must hold a JSON object"),
        (b"{}" + b" " * sources.MAX_BYTES, "must have at most"),
        (b'{"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 1e999}', "feature_size must be"),
        (b'{"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": NaN}', "chunk_length must be finite"),
    ],
)
def test_files_that_are_no_settings_are_refused(content, words, tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        configs.from_extractor(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    (tmp_path / "preprocessor_config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(WHISPER).encode())
    assert configs.from_extractor(tmp_path) == registry.get("whisper-128")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_dict_that_holds_itself_and_values_too_large_to_print_are_errors_of_a_few_lines():
    holds_itself = {"feature_size": 80}
    holds_itself["feature_extractor"] = holds_itself
    deep = []
    for _ in range(10_000):
        deep = [deep]
    wrong = [{**WHISPER, "padding_value": value} for value in (10**5000, deep, "x" * 10**5, {"a": deep})]
    wrong += [{**WHISPER, "feature_size": value} for value in (10**5000, deep, ["x"] * 10**4)]
    for settings in (holds_itself, {"feature_extractor_type": deep}, {**WHISPER, "auto_map": deep}, *wrong):
        with pytest.raises(ConfigError) as caught:
            configs.from_extractor(settings)
        assert len(str(caught.value)) < 800
    many = {f"setting_{number}": 0 for number in range(1000)}
    with pytest.warns(UserWarning, match="too large to print, setting_0, .* and 991 more"):
        configs.from_extractor(WHISPER | many | {10**5000: 1})


def test_paths_without_a_file_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"downloads nothing.*from_pretrained\('openai/whisper-small'\)"):
        configs.from_extractor("openai/whisper-small")
    with pytest.raises(ConfigError, match="which holds nothing"):
        configs.from_extractor(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"which holds 'config\.json'"):
        configs.from_extractor(tmp_path)
    with pytest.raises(ConfigError, match="Could not read"):
        configs.from_extractor("nul\0character")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "preprocessor_config.json")
    with pytest.raises(ConfigError, match="not a regular file"):
        configs.from_extractor(tmp_path)


NAMES = sorted({name for saved in SAVED.values() for name in saved} | set(CLAP) | {"dither", "mel_filters", "stride"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=5,
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(sorted(SUPPORTED)), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4))
def test_any_json_gives_a_config_or_a_config_error(class_name, settings):
    try:
        config = configs.from_extractor(settings | {"feature_extractor_type": class_name})
    except ConfigError as error:
        message = str(error)
    else:
        assert configs.from_json(config.to_json()) == config
        return
    assert class_name in message or "must name the class" in message
