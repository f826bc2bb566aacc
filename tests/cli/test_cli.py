"""Tests of the command line."""

import json
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from audiopipe import Statistics, Transform, cli, configs, hf, load, registry

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
CONFIGS = ["music-log-84", "music-mel-128", "speech-mel-80", "whisper-128", "whisper-80"]


def run(*arguments):
    return runner.invoke(cli.app, [str(argument) for argument in arguments])


def in_a_process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "audiopipe", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def config_file(tmp_path, config):
    path = tmp_path / "stft.json"
    path.write_text(config.to_json())
    return path


# precompute


def test_precompute_writes_a_feature_set_and_prints_a_summary(clips, tmp_path, config, config_file):
    result = run("precompute", clips, tmp_path / "out", "--config", config_file, "--num-shards", 2)
    assert result.exit_code == 0
    assert len(list(load(tmp_path / "out", config=config))) == 4
    assert len(list((tmp_path / "out").glob("*.tfrecord"))) == 2
    lines = result.stdout.splitlines()
    for words in [("config", config.fingerprint[:12]), ("clips", "4"), ("failures", "1 (see failures.jsonl)")]:
        assert any(all(word in line for word in words) for line in lines), words
    assert "audio" in result.stdout
    assert "1.5 s" in result.stdout
    assert "failed: broken.wav (decode): Could not decode" in result.stderr


def test_precompute_prints_each_note_once(clips, tmp_path, config_file):
    """A release of Common Voice, whose paths are relative to a folder beside the manifest."""
    (tmp_path / "clips").symlink_to(clips)
    name = next(path.name for path in sorted(clips.glob("*.wav")) if path.name != "broken.wav")
    (tmp_path / "train.tsv").write_text(f"client_id\tpath\tsentence\n0\t{name}\tHello.\n")
    result = run("precompute", tmp_path / "train.tsv", tmp_path / "out", "--config", config_file)
    assert result.exit_code == 0
    assert result.output.count("the paths are relative to clips/") == 1


def test_precompute_does_not_replace_a_feature_set_unless_asked(clips, feature_set, config_file):
    again = ("precompute", clips, feature_set, "--config", config_file)
    assert "--overwrite" in str(run(*again).exception)
    assert run(*again, "--overwrite").exit_code == 0


def test_options_of_beam_are_passed_on_and_misspelled_options_are_refused(clips, tmp_path, config_file):
    command = ("precompute", clips, tmp_path / "out", "--config", config_file)
    result = run(*command, "--num-shard", 3)
    assert (result.exit_code, "No such option: --num-shard. Did you mean --num-shards?" in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    assert run(*command, "--direct_num_workers=1").exit_code == 0


@pytest.mark.parametrize("missing", [["a", "b"], ["a", "--config", "speech-mel-80"], ["--config", "speech-mel-80"]])
def test_missing_arguments_are_a_usage_error(missing):
    result = run("precompute", *missing)
    assert result.exit_code == 2
    assert "Missing" in result.stderr


def test_a_dry_run_prints_the_plan_and_writes_nothing(clips, tmp_path, config_file):
    result = run("precompute", clips, tmp_path / "out", "--config", config_file, "--dry-run")
    assert result.exit_code == 0
    assert re.search(
        r"planned: 5 clips, 1.5 s of audio, \d+\.\d kB in 1 shard \(estimated from 4 headers\)", result.output
    )
    assert not (tmp_path / "out").exists()


def test_log_json_prints_only_one_json_object_per_line(clips, tmp_path, config_file):
    result = run("precompute", clips, tmp_path / "out", "--config", config_file, "--log-json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in (events[0], events[-1])] == ["planned", "finished"]
    assert {event["event"] for event in events[1:-1]} <= {"progress"}
    assert (events[-1]["clips"], events[-1]["failures"], events[-1]["output"]) == (4, 1, str(tmp_path / "out"))


def test_float16_features_are_verified_after_rounding(clips, tmp_path, config_file):
    result = run("precompute", clips, tmp_path / "out", "--config", config_file, "--dtype", "float16")
    assert re.search(r"stored as +│ float16, off by at most 0\.0\d+", result.output)
    result = run("verify", tmp_path / "out", "--input", clips, "--door", "tfdata")
    assert result.exit_code == 0
    assert "features are stored as float16, so recomputed features were rounded to it" in result.output


@pytest.mark.faults
def test_too_many_failures_exit_with_3(tmp_path, config_file):
    (tmp_path / "clips").mkdir()
    for number in range(100):
        (tmp_path / "clips" / f"{number}.wav").write_text("no audio")
    done = in_a_process("precompute", tmp_path / "clips", tmp_path / "out", "--config", config_file)
    assert done.returncode == 3
    assert "100 of 100 clips failed" in done.stderr
    assert "100 x decode: Could not decode ... as audio" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options", [["--segment-seconds", "1", "--segment-last", "cut"], ["--dtype", "int8"], ["--max-failure-ratio", "-1"]]
)
def test_an_invalid_value_of_an_option_is_a_usage_error(clips, tmp_path, config_file, options):
    assert run("precompute", clips, tmp_path / "out", "--config", config_file, *options).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_the_version_is_that_of_the_package():
    from audiopipe import __version__

    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"audiopipe {__version__}\n")


def test_a_default_that_depends_on_something_is_a_sentence():
    shown = " ".join(run("precompute", "--help").stdout.replace("│", " ").split())
    assert "What to do with an incomplete last segment. Default: drop." in shown
    commands = ["precompute", "merge", "verify", "inspect", "stats", "compare", "machine", "plot", "report"]
    assert [command for command in commands if "[default: (" in run(command, "--help").stdout] == []


# verify


def test_verify_exits_with_0_if_every_bit_agrees(shared_feature_set, clips):
    result = run("verify", shared_feature_set, "--input", clips / "manifest.jsonl", "--door", "tfdata")
    assert result.exit_code == 0
    assert "Every bit agrees." in result.stdout
    assert "tf.data, padded" in result.stdout
    assert "datasets" not in result.stdout


def test_verify_exits_with_1_and_names_the_clip_that_differs(feature_set, clips, tmp_path):
    soundfile.write(tmp_path / "other.wav", 0.1 * np.random.default_rng(9).standard_normal(4000), 8000)
    rows = [json.loads(line) for line in (clips / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["path"] = str(tmp_path / "other.wav" if row["id"] == "mono" else clips / row["path"])
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = run("verify", feature_set, "--input", tmp_path / "manifest.jsonl", "--door", "tfdata")
    assert result.exit_code == 1
    assert "Every bit agrees" not in result.stdout
    [by_clip, _] = [line for line in result.stdout.splitlines() if "tf.data" in line]
    assert "mono" in by_clip


def test_verify_exits_with_1_if_clips_are_missing_on_either_side(shared_feature_set, clips, tmp_path):
    rows = [json.loads(line) for line in (clips / "manifest.jsonl").read_text().splitlines()]
    kept = [{"id": row["id"], "path": str(clips / row["path"])} for row in rows if row["id"] != "quiet"]
    kept.append({"id": "later", "path": str(clips / "mono.wav")})
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, kept)))
    result = run("verify", shared_feature_set, "--input", tmp_path / "manifest.jsonl", "--door", "tfdata")
    assert result.exit_code == 1
    assert "clips in OUTPUT but not in INPUT: 1, the first is quiet" in result.stderr
    assert "clips in INPUT but not in OUTPUT: 1, the first is later" in result.stderr


# configs


def test_configs_list_shows_every_name_with_its_fingerprint():
    result = run("configs", "list")
    assert result.exit_code == 0
    for name in CONFIGS:
        [line] = [line for line in result.stdout.splitlines() if line.split()[:1] == [name]]
        config = registry.get(name)
        assert config.fingerprint[:12] in line
        assert f"{config.sample_rate} Hz" in line


def test_configs_list_groups_names_by_family_and_says_what_each_is_for(monkeypatch):
    names = registry.Registry(environment=False)
    names.register("team-mel", configs.MelSpectrogram(sample_rate=16000))
    monkeypatch.setattr(registry, "names", names.names)
    monkeypatch.setattr(registry, "get", names.get)
    lines = [line.strip() for line in run("configs", "list").stdout.splitlines()]
    kaldi, own = lines.index("Kaldi"), lines.index("registered by you")
    assert lines[kaldi + 1].startswith("kaldi-fbank-80 ")
    assert lines[kaldi + 1].endswith("Kaldi's filterbank features with 80 bands, of samples in -1 .. 1.")
    assert own == len(lines) - 2
    assert (lines[own + 1].startswith("team-mel "), lines[own + 1].endswith("MelSpectrogram")) == (True, True)


def test_configs_show_prints_json_that_can_be_resolved(tmp_path):
    result = run("configs", "show", "speech-mel-80")
    assert result.exit_code == 0
    (tmp_path / "mel.json").write_text(result.stdout)
    assert registry.resolve(tmp_path / "mel.json") == registry.get("speech-mel-80")
    assert registry.get("speech-mel-80").fingerprint in result.stderr


def test_configs_show_and_diff_say_how_a_config_is_normalized(tmp_path):
    base = registry.get("speech-mel-80")
    config = base.normalized(Statistics(mean=np.linspace(-31, -12, 80), std=np.linspace(4, 9, 80)))
    (tmp_path / "mel.json").write_text(config.to_json())
    shown = run("configs", "show", str(tmp_path / "mel.json"))
    assert configs.from_json(shown.stdout) == config
    assert f"normalized by {config.standardization!r}" in shown.stderr
    assert f"fingerprint without normalization {base.fingerprint}" in shown.stderr
    assert "\n      [-31.0],\n" in shown.stdout  # a line for each bin
    result = run("configs", "diff", str(tmp_path / "mel.json"), "speech-mel-80")
    assert (result.exit_code, result.stdout) == (1, f"standardization: {config.standardization!r} != None\n")


def test_configs_diff_exits_with_1_and_prints_the_fields_that_differ(tmp_path, config_file):
    same = run("configs", "diff", "speech-mel-80", "speech-mel-80")
    assert (same.exit_code, "The same feature" in same.stdout) == (0, True)
    result = run("configs", "diff", "speech-mel-80", "music-mel-128")
    assert result.exit_code == 1
    assert "n_fft: 400 != 2048" in result.stdout
    assert "sample_rate: 16000 != 22050" in result.stdout


@pytest.fixture(scope="module")
def carriers(shared_feature_set, clips, config, tmp_path_factory):
    """Returns everything that carries the same config, by kind."""
    import datasets
    import keras

    folder = tmp_path_factory.mktemp("carriers")
    model = keras.Sequential([keras.Input((None, 1)), config.layer()])
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)
    classifier = keras.Sequential([keras.Input((None, config.n_bins, 1)), keras.layers.GlobalAveragePooling2D()])
    config.stamp_model(classifier).save(folder / "stamped.keras")
    rows = datasets.Dataset.from_dict({"audio": [str(clips / "quiet.wav")]})
    hf.map(rows, Transform(config)).to_parquet(folder / "features.parquet")
    names = ("model.keras", "exported", "stamped.keras", "features.parquet")
    found = (shared_feature_set, *[folder / name for name in names])
    return dict(zip(("feature set", ".keras", "SavedModel", "stamp", "Parquet"), found, strict=True))


@pytest.mark.cases(3)
@pytest.mark.parametrize("kind", ["feature set", ".keras", "SavedModel", "stamp", "Parquet"])
def test_configs_show_and_diff_take_what_carries_a_config(carriers, config, config_file, kind, monkeypatch):
    shown = run("configs", "show", carriers[kind])
    assert configs.from_json(shown.stdout) == config
    assert config.fingerprint in shown.stderr
    origin = {".keras": "front end", "SavedModel": "front end", "stamp": "stamp"}.get(kind)
    assert (f"recorded by the {origin} of the model" in shown.stderr) == (origin is not None)
    same = run("configs", "diff", carriers[kind], config_file)
    assert (same.exit_code, "The same feature" in same.stdout) == (0, True)
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)
    shown, later = run("configs", "show", carriers[kind]), run("configs", "diff", carriers[kind], config_file)
    if kind == ".keras":  # the installed version computes its feature
        assert config.fingerprint_at(before + 1) in shown.stderr
        assert later.exit_code == 0
    else:
        assert f"fingerprint {config.fingerprint_at(before)}" in shown.stderr
        assert f"kernel version {before}, but this release computes kernel version {before + 1}" in shown.stderr
        assert (later.exit_code, later.stdout) == (1, f"kernel_version: {before} != {before + 1}\n")


def test_configs_show_names_what_it_found_nothing_in(tmp_path):
    result = run("configs", "show", tmp_path)
    assert f".parquet file at {str(tmp_path)!r}" in str(result.exception)


def test_commands_that_only_look_do_not_import_heavy_libraries(carriers):
    script = (
        "import sys; from audiopipe import cli\n"
        "for path in sys.argv[1:]: cli.app(['configs', 'show', path], standalone_mode=False)\n"
        "cli.app(['inspect', sys.argv[1]], standalone_mode=False)\n"
        "print('HEAVY', {'tensorflow', 'keras', 'apache_beam', 'datasets', 'matplotlib', 'pandas'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", script, *map(str, carriers.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY set()"


# plot


@pytest.mark.parametrize(("channels", "height"), [(1, 480), (3, 1200)])
def test_plot_writes_an_image_with_one_panel_per_channel(tmp_path, config_file, channels, height):
    clip = np.random.default_rng(8).uniform(-0.5, 0.5, (4000, channels))
    soundfile.write(tmp_path / "clip.wav", clip, 8000)
    fields = json.loads(config_file.read_text())
    config_file.write_text(json.dumps({**fields, "channels": channels, "output_data_format": "channels_first"}))
    result = run("plot", tmp_path / "clip.wav", tmp_path / "image.png", "--config", config_file)
    assert result.exit_code == 0
    assert f"feature of shape ({channels}, 38, 129)" in result.stdout
    assert matplotlib.image.imread(tmp_path / "image.png").shape == (height, 1080, 4)


# Help and errors

COMMANDS = {
    (): ["precompute", "merge", "verify", "inspect", "machine", "stats", "compare", "configs", "plot", "report"],
    ("precompute",): ["INPUT", "OUTPUT", "--config", "--num-shards", "--update", "--runner=DataflowRunner"],
    ("merge",): ["SET", "OUTPUT", "--prefix", "--overwrite", "--log-json"],
    ("verify",): ["OUTPUT", "--input", "--door", "--sample", "--all", "--tolerance"],
    ("inspect",): ["OUTPUT"],
    ("machine",): ["SOURCE", "--json"],
    ("stats",): ["SET", "--where", "--json", "--plot"],
    ("compare",): ["A", "B", "--where-a", "--where-b", "--tolerance", "--json"],
    ("plot",): ["CLIP", "IMAGE", "--config"],
    ("report",): ["SET", "--output", "--input", "--compare"],
    ("configs",): ["list", "show", "diff", "add"],
    ("configs", "list"): ["--help"],
    ("configs", "show"): ["SOURCE"],
    ("configs", "diff"): ["LEFT", "RIGHT"],
    ("configs", "add"): ["NAME", "FILE", "--registry"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_names_the_arguments_of_a_command(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    for word in COMMANDS[command]:
        assert word in result.stdout


def test_the_help_of_every_command_is_tested():
    group = typer.main.get_command(cli.app)
    found = {(name,) for name in group.commands} | {("configs", name) for name in group.commands["configs"].commands}
    assert found == COMMANDS.keys() - {()}


def test_light_commands_do_not_import_heavy_libraries():
    script = (
        "import sys; from audiopipe import cli\n"
        "for command in (['--help'], ['precompute', '--help'], ['configs', 'show', 'speech-mel-80']):\n"
        "    cli.app(command, standalone_mode=False)\n"
        "    print('HEAVY', {'tensorflow', 'keras', 'apache_beam', 'datasets', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("HEAVY")] == ["HEAVY set()"] * 3


def test_main_exits_with_1_and_prints_only_the_message_of_an_audiopipe_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audiopipe", "configs", "show", "nobody"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("RegistryError: ")
    assert "'nobody'" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["configs", "list"], 0, "speech-mel-80"),
        (["configs", "diff", "speech-mel-80", "music-log-84"], 1, "feature: 'MelSpectrogram' != 'LogFrequency"),
        (["inspect", "nowhere"], 1, "IncompleteFeatureSetError: There is no dataset.json in 'nowhere'"),
        (["configs", "show"], 2, "Missing argument"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_exit_codes_and_messages(arguments, code, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audiopipe", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert words in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_a_process_has_the_exit_code_and_the_message_of_an_error():
    done = in_a_process("configs", "show", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("RegistryError: ")
    assert "Traceback" not in done.stderr


@pytest.mark.faults
def test_precompute_prints_no_notes_of_libraries(clips, tmp_path, config_file, config):
    done = in_a_process("precompute", clips / "mono.wav", tmp_path / "out", "--config", config_file)
    assert done.returncode == 0
    assert "oneDNN" not in done.stderr
    assert "absl" not in done.stderr
    assert len(list(load(tmp_path / "out", config=config))) == 1
