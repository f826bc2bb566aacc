"""Tests of the registry: the sources of names, and the refusal of a second meaning."""

import functools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiopipe import configs, registry
from audiopipe.configs.presets import presets
from audiopipe.errors import AudiopipeError, ConfigError, RegistryError
from audiopipe.registry import Registry
from audiopipe.runtime import installed
from audiopipe.storage import files, turns

MEL = configs.MelSpectrogram(sample_rate=16000, n_mels=64)
OTHER = configs.MelSpectrogram(sample_rate=16000, n_mels=40)
BUILT_IN = sorted(presets())


@pytest.fixture
def names():
    return Registry(environment=False)


@pytest.fixture
def write(tmp_path):
    """Function that writes a registry file in its documented format, without `Registry.save`."""

    def write(name, configs_by_name, format_version=1):
        content = {"format_version": format_version, "configs": {n: c.to_dict() for n, c in configs_by_name.items()}}
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Function that installs a fake package, which declares a name for a config."""

    def install(module, code, entry_point):
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[audiopipe.configs]\n{entry_point}\n")
        monkeypatch.syspath_prepend(tmp_path)
        folders = installed.install_folders()
        monkeypatch.setattr(installed, "install_folders", lambda: [str(tmp_path), *folders])

    return install


def test_a_registered_config_is_returned_by_its_name(names):
    assert names.register("team-mel", MEL) is MEL
    assert names.get("team-mel") is MEL
    assert names.names() == sorted([*BUILT_IN, "team-mel"])


def test_built_in_names_have_their_documented_settings(names):
    speech = names.get("speech-mel-80")
    assert (speech.sample_rate, speech.n_fft, speech.hop_length, speech.n_mels) == (16000, 400, 160, 80)
    music = names.get("music-mel-128")
    assert (music.sample_rate, music.n_fft, music.hop_length, music.n_mels) == (22050, 2048, 512, 128)
    assert all(names.get(name).output_data_format == "channels_last" for name in BUILT_IN)


@pytest.mark.parametrize("length", [6, 12, 64])
def test_a_fingerprint_after_the_name_is_checked(names, length):
    names.register("team-mel", MEL)
    assert names.get(f"team-mel@{MEL.fingerprint[:length]}") is MEL


def test_a_wrong_fingerprint_is_refused_and_the_right_one_is_named(names):
    names.register("team-mel", MEL, source="a notebook")
    with pytest.raises(RegistryError, match=f"'team-mel@000000'. Received: {MEL.fingerprint}, from a notebook"):
        names.get("team-mel@000000")


@pytest.mark.parametrize("prefix", ["", MEL.fingerprint[:5], "xyzxyz", MEL.fingerprint[:6].upper() + "G"])
def test_a_malformed_fingerprint_is_refused(names, prefix):
    names.register("team-mel", MEL)
    with pytest.raises(RegistryError, match=f"at least 6 hexadecimal characters.*Received: 'team-mel@{prefix}'"):
        names.get(f"team-mel@{prefix}")


def test_an_unknown_name_is_refused_with_advice_to_register_it(names):
    with pytest.raises(RegistryError, match=r"'team-mel-80'.*configs list.*configs add.*AUDIOPIPE_REGISTRY"):
        names.get("team-mel-80")


def test_a_second_meaning_is_refused_and_the_fields_that_differ_are_named(names):
    names.register("team-mel", MEL, source="here")
    with pytest.raises(
        RegistryError, match=r"from here \(left\), and now from there too \(right\):\nn_mels: 64 != 40\n"
    ):
        names.register("team-mel", OTHER, source="there")
    assert names.get("team-mel") is MEL


def test_an_equal_config_can_be_registered_again(names):
    names.register("team-mel", MEL)
    again = configs.from_json(MEL.to_json())
    assert names.register("team-mel", again) == MEL
    assert names.names().count("team-mel") == 1


@pytest.mark.parametrize("name", ["", "team mel", "team@mel", "-mel", "mél", "a/b", "mel\n", None, 3])
def test_malformed_names_are_refused(names, name):
    with pytest.raises(RegistryError, match=r"must consist of letters, digits.* Received: "):
        names.register(name, MEL)


@pytest.mark.parametrize("config", ["speech-mel-80", MEL.to_dict(), configs.MelSpectrogram, None])
def test_anything_but_a_config_cannot_be_registered(names, config):
    with pytest.raises(RegistryError, match=r"'team-mel' must be the name of a config. Received: "):
        names.register("team-mel", config)


def test_saved_names_can_be_loaded_into_another_registry(names, tmp_path):
    names.register("team-mel", MEL)
    names.save(tmp_path / "configs.json")
    assert [path.name for path in tmp_path.iterdir()] == ["configs.json"]
    content = json.loads((tmp_path / "configs.json").read_text())
    assert content["format_version"] == 1
    assert content["configs"] == {"team-mel": MEL.to_dict()}  # every release has its own presets
    elsewhere = Registry(environment=False)
    assert elsewhere.load(tmp_path / "configs.json") == ["team-mel"]
    assert elsewhere.get("team-mel") == MEL


def test_names_and_configs_are_read_from_remote_storage(names):
    names.register("team-mel", MEL)
    names.save("memory://registry/configs.json")
    elsewhere = Registry(environment=False)
    elsewhere.load("memory://registry/configs.json")
    assert elsewhere.get("team-mel") == MEL
    files.write_bytes("memory://registry/mel.json", MEL.to_json().encode())
    assert registry.resolve("memory://registry/mel.json") == MEL


def test_a_file_with_a_conflict_registers_nothing(names, write):
    names.register("team-mel", MEL)
    path = write("team.json", {"another-mel": OTHER, "team-mel": OTHER, "zz-mel": OTHER})
    with pytest.raises(RegistryError, match=r"(?s)'team-mel' already.*team\.json too \(right\):\nn_mels: 64 != 40"):
        names.load(path)
    assert names.names() == sorted([*BUILT_IN, "team-mel"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError: 'format_version'"),
        ('{"format_version": 1}', "KeyError: 'configs'"),
        ('{"format_version": 1, "configs": []}', "AttributeError"),
        ('{"format_version": 1, "configs": {"a": {"feature": "Chroma"}}}', "feature='Chroma'"),
        ('{"format_version": 1, "configs": {"a": {"feature": "MelSpectrogram", "n_mels": 0}}}', "n_mels=0"),
        ('{"format_version": 1, "configs": {"a b": {"feature": "MelSpectrogram"}}}', "Received: 'a b'"),
        ('{"format_version": 2, "configs": {}}', "format_version 1. Received: 2. .*another version"),
    ],
)
def test_a_malformed_file_is_refused(names, tmp_path, content, message):
    (tmp_path / "team.json").write_text(content)
    with pytest.raises(RegistryError, match=rf"team\.json.*{message}|{message}.*team\.json"):
        names.load(tmp_path / "team.json")
    assert names.names() == BUILT_IN


def test_files_of_the_environment_variable_are_loaded(write, monkeypatch):
    first, second = write("first.json", {"team-mel": MEL}), write("second.json", {"other-mel": OTHER})
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", f"{first}:{second}:")
    names = Registry()
    assert names.get("team-mel") == MEL
    assert names.get("other-mel") == OTHER


def test_files_of_the_environment_variable_must_agree(write, monkeypatch):
    first, second = write("first.json", {"team-mel": MEL}), write("second.json", {"team-mel": OTHER})
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", f"{first}:{second}")
    with pytest.raises(RegistryError, match=r"(?s)first\.json in AUDIOPIPE_REGISTRY \(left\),.*n_mels: 64 != 40"):
        Registry().names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "FileNotFoundError"),
        ("{broken", "JSONDecodeError"),
        (json.dumps({"format_version": 99, "configs": {}}), "Received: 99"),
    ],
)
def test_an_unreadable_file_of_the_environment_variable_raises_an_error_at_every_use(
    tmp_path, monkeypatch, content, message
):
    path = tmp_path / "team.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(path))
    names = Registry()
    for use in (lambda: names.get("speech-mel-80"), names.names, lambda: names.register("team-mel", MEL)):
        with pytest.raises(RegistryError, match=rf"team\.json in AUDIOPIPE_REGISTRY.*{message}"):
            use()


def test_a_file_of_the_environment_variable_can_be_fixed_in_the_same_process(write, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(tmp_path / "team.json"))
    names = Registry()
    with pytest.raises(RegistryError, match="FileNotFoundError"):
        names.names()
    write("team.json", {"team-mel": MEL})
    assert names.get("team-mel") == MEL


def test_entry_points_of_installed_packages_are_loaded(distribution):
    code = "from audiopipe import configs\nMEL = configs.MelSpectrogram(sample_rate=16000, n_mels=64)\n"
    distribution("pack_of_configs", code, "pack-mel = pack_of_configs:MEL")
    assert Registry().get("pack-mel") == MEL
    assert "pack-mel" not in Registry(environment=False).names()


@pytest.mark.parametrize(
    ("module", "code", "message"),
    [
        ("pack_that_raises", "raise RuntimeError('no licence')", "pack_that_raises:MEL.*RuntimeError: no licence"),
        ("pack_without_it", "", "pack_without_it:MEL.*AttributeError.*uninstall"),
        (
            "pack_of_text",
            "MEL = 'speech-mel-80'",
            "must be the name of a config.*from the entry point pack_of_text:MEL",
        ),
    ],
)
def test_a_broken_entry_point_is_named(distribution, module, code, message):
    distribution(module, code, f"pack-mel = {module}:MEL")
    with pytest.raises(RegistryError, match=message):
        Registry().names()


@pytest.fixture
def process_registry(monkeypatch):
    """A registry that replaces that of the process during a test."""
    replacement = Registry(environment=False)
    monkeypatch.setattr(registry, "get", replacement.get)
    return replacement


def test_resolve_takes_a_config_a_name_and_a_path(process_registry, tmp_path):
    process_registry.register("team-mel", MEL)
    path = tmp_path / "mel.json"
    path.write_text(OTHER.to_json())
    assert registry.resolve(MEL) is MEL
    assert registry.resolve("team-mel") is MEL
    assert registry.resolve(f"team-mel@{MEL.fingerprint[:6]}") is MEL
    assert registry.resolve(path) == OTHER
    assert registry.resolve(str(path)) == OTHER


@pytest.mark.parametrize(
    "content",
    [
        {"feature_extractor_type": "ASTFeatureExtractor"},
        {"processor_class": "ClapProcessor", "feature_extractor": {"feature_extractor_type": "ASTFeatureExtractor"}},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_resolve_takes_a_file_that_transformers_wrote(tmp_path, content, encoding):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(content), encoding)
    assert registry.resolve(path) == registry.get("ast")


def test_resolve_names_a_file_of_an_extractor_that_no_config_reproduces(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_text('{"feature_extractor_type": "ASTFeatureExtractor", "dither": 0.5}')
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json': ASTFeatureExtractor: no config .* dither=0\.5"):
        registry.resolve(path)
    path.write_text('{"processor_class": "WhisperProcessor"}')
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json': .* must name the class of the extractor"):
        registry.resolve(path)


def test_resolve_refuses_an_unknown_name(process_registry):
    with pytest.raises(RegistryError, match="'team-mel'"):
        registry.resolve("team-mel")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"{"])
def test_resolve_refuses_a_file_without_a_config(tmp_path, content):
    path = tmp_path / "mel.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mel\.json|must be JSON. Received: '{'"):
        registry.resolve(path)


@pytest.mark.parametrize("value", [None, 80, {"feature": "MelSpectrogram"}, configs.MelSpectrogram])
def test_resolve_refuses_other_types(value):
    with pytest.raises(AudiopipeError, match=r"a registered name, or the path of a JSON file. Received: "):
        registry.resolve(value)


def test_the_functions_of_the_module_share_one_registry():
    assert registry.names.__self__ is registry.get.__self__ is registry.register.__self__
    assert registry.save.__self__ is registry.load.__self__ is registry.get.__self__
    assert set(BUILT_IN) <= set(registry.names())


def test_a_name_that_ends_like_a_file_is_refused():
    with pytest.raises(RegistryError, match=r"not end in '\.json'"):
        Registry(environment=False).register("mel.json", configs.MelSpectrogram())


def test_one_of_two_threads_that_register_different_configs_is_refused(monkeypatch):
    registry = Registry(environment=False)
    check = Registry._check

    def slow_check(self, *arguments):
        check(self, *arguments)
        time.sleep(0.05)

    registry.names()
    monkeypatch.setattr(Registry, "_check", slow_check)

    def register(n_mels):
        try:
            return registry.register("mel", configs.MelSpectrogram(n_mels=n_mels)).n_mels
        except RegistryError:
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(register, (40, 64)))
    assert sorted(found, key=str) in ([40, None], [64, None])


def test_names_from_files_and_packages_are_saved_as_well(write, distribution, monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(write("team.json", {"team-mel": MEL})))
    code = "from audiopipe import configs\nMEL = configs.MelSpectrogram(sample_rate=16000, n_mels=40)\n"
    distribution("pack_to_save", code, "pack-mel = pack_to_save:MEL")
    Registry().save(tmp_path / "all.json")
    saved = json.loads((tmp_path / "all.json").read_text())["configs"]
    assert saved == {"team-mel": MEL.to_dict(), "pack-mel": OTHER.to_dict()}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The folder of a user's settings, which is empty."""
    monkeypatch.delenv("AUDIOPIPE_REGISTRY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings"


def test_without_the_environment_variable_the_users_own_file_is_read(settings, write, monkeypatch):
    assert Registry().names() == BUILT_IN  # there is none yet
    (settings / "audiopipe").mkdir(parents=True)
    write("settings/audiopipe/registry.json", {"my-mel": MEL})
    assert Registry().get("my-mel") == MEL
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(write("team.json", {"team-mel": OTHER})))
    assert Registry().names() == sorted([*BUILT_IN, "team-mel"])
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", "")
    assert Registry().names() == BUILT_IN


def test_the_users_own_file_is_in_the_home_folder(monkeypatch):
    monkeypatch.delenv("AUDIOPIPE_REGISTRY", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/anna")
    assert registry.registry_files() == ["/home/anna/.config/audiopipe/registry.json"]


def test_an_added_name_is_known_to_later_processes(settings):
    written = Registry().add("my-mel", MEL)
    assert written == str(settings / "audiopipe" / "registry.json")
    assert Registry().add("other-mel", OTHER) == written
    later = Registry()
    assert (later.get("my-mel"), later.get("other-mel")) == (MEL, OTHER)
    assert later.source("my-mel") == f"the file {written}"


def test_a_name_is_added_to_the_first_file_of_the_environment_variable(write, tmp_path, monkeypatch):
    first, second = tmp_path / "new" / "first.json", write("second.json", {"team-mel": MEL})
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", f"{first}:{second}")
    assert Registry().add("other-mel", OTHER) == str(first)
    assert json.loads(first.read_text())["configs"] == {"other-mel": OTHER.to_dict()}
    assert Registry().names() == sorted([*BUILT_IN, "team-mel", "other-mel"])


def test_a_name_can_be_added_to_any_file(names, write):
    path = write("team.json", {"team-mel": MEL})
    assert names.add("other-mel", OTHER, path) == str(path)
    assert json.loads(path.read_text())["configs"] == {"team-mel": MEL.to_dict(), "other-mel": OTHER.to_dict()}


def test_adding_a_name_that_is_known_writes_nothing(settings, write):
    Registry().add("my-mel", MEL)
    before = (settings / "audiopipe" / "registry.json").read_text()
    assert Registry().add("my-mel", MEL) is None
    assert (settings / "audiopipe" / "registry.json").read_text() == before
    path = write("team.json", {"team-mel": MEL})
    assert Registry().add("team-mel", MEL, path) is None


def test_two_processes_that_add_names_at_the_same_moment_lose_none(write, monkeypatch):
    path = write("team.json", {"team-mel": MEL})
    read, both_read, here = registry._read, threading.Barrier(2), threading.local()

    def read_at_the_same_moment(*arguments):
        found = read(*arguments)
        if not hasattr(here, "has_read"):
            here.has_read = True
            both_read.wait(60)
        return found

    monkeypatch.setattr(registry, "_read", read_at_the_same_moment)
    with ThreadPoolExecutor(2) as threads:
        registries = [Registry(environment=False) for _ in range(2)]
        for added in [threads.submit(one.add, f"mel-{place}", OTHER, path) for place, one in enumerate(registries)]:
            assert added.result() == str(path)
    assert json.loads(path.read_text())["configs"].keys() == {"team-mel", "mel-0", "mel-1"}


def test_a_file_that_another_process_keeps_locked_is_an_error(write, monkeypatch, names):
    path = write("team.json", {"team-mel": MEL})
    monkeypatch.setattr(registry.turns, "turn", functools.partial(turns.turn, seconds=0.01))
    with turns.turn(str(path)), pytest.raises(RegistryError, match=r"Another process has been changing '.*team\.json'"):
        names.add("other-mel", OTHER, path)
    assert json.loads(path.read_text())["configs"].keys() == {"team-mel"}


def test_a_name_with_another_meaning_is_not_added(settings, names, write):
    speech = names.get("speech-mel-80")
    Registry().add("my-mel", MEL)
    before = (settings / "audiopipe" / "registry.json").read_text()
    for name, config in (("my-mel", OTHER), ("speech-mel-80", MEL)):
        with pytest.raises(RegistryError, match=f"'{name}' already belongs to another config"):
            Registry().add(name, config)
    assert (settings / "audiopipe" / "registry.json").read_text() == before
    path = write("team.json", {"team-mel": MEL, "my-mel": OTHER})  # which the process has not read
    with pytest.raises(RegistryError, match="'team-mel' already belongs to another config"):
        names.add("team-mel", OTHER, path)
    assert names.add("speech-mel-80", speech, path) == str(path)


def test_without_any_file_a_name_cannot_be_added(monkeypatch):
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", "")
    with pytest.raises(RegistryError, match="an empty AUDIOPIPE_REGISTRY"):
        Registry().add("my-mel", MEL)


def test_a_misspelt_name_gets_a_suggestion(names):
    with pytest.raises(RegistryError, match=r"Received: 'speach-mel-80'\. Did you mean speech-mel-80"):
        names.get("speach-mel-80")


def test_a_registry_that_cannot_be_written_raises_a_registry_error(tmp_path):
    with pytest.raises(RegistryError, match="Could not write"):
        Registry(environment=False).save(tmp_path / "gone" / "configs.json")
