"""The command `audiopipe plot`."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import soundfile
import synthetic_sets
from typer.testing import CliRunner

from audiopipe import FeatureSet, Transform, cli, configs
from audiopipe.errors import ArgumentError, AudioError, ClipNotFoundError, RegistryError
from audiopipe.plotting import images
from audiopipe.transform.segments import Segments

RATE = 8000
FIELDS = {"sample_rate": RATE, "hop_length": 80, "input_data_format": "channels_last"}
STFT = configs.StftMagnitude(**FIELDS, n_fft=256, return_decibel=True, output_data_format="channels_last")
MEL = configs.LogMel(**FIELDS, n_fft=256, n_mels=20, channels=2, output_data_format="channels_first")
FIXED = configs.LogMel(**FIELDS, n_fft=256, n_mels=20, fixed_frames=500, output_data_format="channels_last")
CLIP = np.random.default_rng(8).uniform(-0.5, 0.5, (RATE, 2))  # a second

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, ["plot", *map(str, arguments)])


def error_of(*arguments):
    result = run(*arguments)
    assert result.exit_code == 1
    return result.exception


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns a folder with clips and configs, which is the working directory."""
    soundfile.write(tmp_path / "long.wav", CLIP, RATE)
    soundfile.write(tmp_path / "short.wav", CLIP[: RATE // 2], RATE)
    for name, config in {"stft": STFT, "mel": MEL, "fixed": FIXED}.items():
        (tmp_path / f"{name}.json").write_text(config.to_json())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def saved(monkeypatch):
    """Returns the list of figures that the test saves. No image is made of them, which would take most of the time."""
    figures = []
    monkeypatch.setattr(images, "save", lambda figure, path: figures.append((figure, path)))
    return figures


def panels_of(figure):
    """Returns the title and the image of each panel of a figure, by row and column."""
    found = {}
    for axes in figure.axes:
        if axes.get_subplotspec() is not None and axes.images:
            spec = axes.get_subplotspec()
            [image] = axes.images
            found[spec.rowspan.start, spec.colspan.start] = (axes.get_title(), image)
    return found


def test_the_image_of_a_clip_is_written(folder):
    result = run("long.wav", "image.png", "--config", "stft.json")
    assert result.exit_code == 0, result.exception
    assert result.stdout == "image.png: feature of shape (97, 129, 1)\n"
    assert matplotlib.image.imread("image.png").shape == (480, 1080, 4)


def test_several_clips_are_drawn_under_each_other_on_one_scale(folder, saved):
    result = run("long.wav", "short.wav", "image.png", "--config", "stft.json")
    assert result.exit_code == 0, result.exception
    assert result.stdout == "image.png: 2 features\n"
    panels = panels_of(saved[0][0])
    assert {place: title for place, (title, _) in panels.items()} == {
        (0, 0): "long.wav: stft.json",
        (1, 0): "short.wav: stft.json",
    }
    transform = Transform(STFT)
    for (_, image), name in zip(panels.values(), ["long.wav", "short.wav"], strict=True):
        np.testing.assert_array_equal(image.get_array(), transform.compute(transform.read(name))[:, :, 0].T)
    assert panels[0, 0][1].get_clim() == panels[1, 0][1].get_clim()


def test_each_config_has_a_column_and_each_clip_a_row(folder, saved):
    result = run("long.wav", "short.wav", "image.png", "--config", "stft.json", "--config", "fixed.json")
    assert result.exit_code == 0, result.exception
    assert {place: title for place, (title, _) in panels_of(saved[0][0]).items()} == {
        (0, 0): "long.wav: stft.json",
        (0, 1): "long.wav: fixed.json",
        (1, 0): "short.wav: stft.json",
        (1, 1): "short.wav: fixed.json",
    }


def test_channels_of_two_configs_stay_in_the_column_of_their_config(folder, saved):
    (folder / "stereo.json").write_text(configs.StftMagnitude(**FIELDS, n_fft=256, channels=2).to_json())
    assert run("long.wav", "image.png", "--config", "stereo.json", "--config", "mel.json").exit_code == 0
    panels = panels_of(saved[0][0])
    assert {place: image.get_array().shape[0] for place, (_, image) in panels.items()} == {
        (0, 0): 129,
        (1, 0): 129,
        (0, 1): 20,
        (1, 1): 20,
    }
    assert panels[0, 1][0] == "long.wav: mel.json"
    feature = Transform(MEL).compute(Transform(MEL).read("long.wav"))
    np.testing.assert_array_equal(panels[1, 1][1].get_array(), feature[1].T)


def test_padding_is_not_drawn(folder, saved):
    assert run("short.wav", "image.png", "--config", "fixed.json").exit_code == 0
    [(_, image)] = panels_of(saved[0][0]).values()
    assert image.get_array().shape == (20, FIXED.valid_frames(RATE // 2)) == (20, 51)


def test_a_stretch_is_cut_out_of_the_samples(folder, saved):
    result = run("long.wav", "image.png", "--config", "stft.json", "--start", 0.25, "--seconds", 0.5)
    assert result.exit_code == 0, result.exception
    [(_, image)] = panels_of(saved[0][0]).values()
    transform = Transform(STFT)
    expected = transform.compute(transform.read("long.wav")[RATE // 4 : 3 * RATE // 4])
    np.testing.assert_array_equal(image.get_array(), expected[:, :, 0].T)
    assert image.get_extent()[0] == pytest.approx(0.25 + 0.016 - 0.005)


def test_a_stretch_may_reach_beyond_the_end(folder, saved):
    assert run("long.wav", "image.png", "--config", "stft.json", "--start", 0.5, "--seconds", 9).exit_code == 0
    [(_, image)] = panels_of(saved[0][0]).values()
    assert image.get_array().shape[1] == STFT.n_frames(RATE // 2)


@pytest.fixture
def feature_set(folder):
    """Returns the folder of a feature set whose clips have 20, 30 and 40 frames, some of them padding."""
    ids = ["a.wav", "b/c.wav#0", "d#e"]
    clips = {name: synthetic_sets.feature(20 + 10 * number, seed=number) for number, name in enumerate(ids)}
    segments = Segments(seconds=0.3, last="pad")
    synthetic_sets.write(folder / "features", clips, valid_frames={"b/c.wav#0": 25}, segments=segments)
    return folder / "features"


@pytest.mark.parametrize(("clip_id", "n_frames"), [("a.wav", 20), ("b/c.wav#0", 25), ("d#e", 40)])
def test_a_clip_of_a_feature_set_is_drawn_without_its_padding(feature_set, saved, clip_id, n_frames):
    result = run(f"features#{clip_id}", "image.png")
    assert result.exit_code == 0, result.exception
    [(title, image)] = panels_of(saved[0][0]).values()
    assert title == f"features#{clip_id}"
    stored = FeatureSet(feature_set)[clip_id]["feature"]
    expected = 20 * np.log10(np.maximum(np.abs(stored[:n_frames, :, 0]), 1e-10))
    np.testing.assert_allclose(image.get_array(), expected.T, rtol=1e-5)


def test_a_folder_may_have_the_separator_in_its_name(feature_set, saved):
    feature_set.rename(feature_set.with_name("set#1"))
    assert run("set#1#d#e", "image.png").exit_code == 0
    [(title, image)] = panels_of(saved[0][0]).values()
    assert (title, image.get_array().shape) == ("set#1#d#e", (20, 40))


def test_an_audio_file_may_have_the_separator_in_its_name(feature_set, saved):
    soundfile.write("features#a.wav", CLIP, RATE)
    assert run("features#a.wav", "image.png", "--config", "stft.json").exit_code == 0
    [(title, _)] = panels_of(saved[0][0]).values()
    assert title == "features#a.wav: stft.json"


def test_the_frames_of_a_record_are_those_with_their_centres_in_the_stretch(feature_set, saved):
    assert run("features#d#e", "image.png", "--start", 0.1, "--seconds", 0.1).exit_code == 0
    [(_, image)] = panels_of(saved[0][0]).values()
    centres = synthetic_sets.CONFIG.frame_centres(40)
    shown = np.flatnonzero((centres >= 0.1) & (centres < 0.2))
    stored = FeatureSet(feature_set)["d#e"]["feature"][shown, :, 0]
    np.testing.assert_allclose(image.get_array(), 20 * np.log10(np.abs(stored)).T, rtol=1e-5)
    assert image.get_extent()[0] == pytest.approx(centres[shown[0]] - 0.005)


def test_clips_and_records_can_be_drawn_together(feature_set, saved):
    assert run("features#a.wav", "long.wav", "features#d#e", "image.png").exit_code == 0
    titles = [title for title, _ in panels_of(saved[0][0]).values()]
    assert titles == ["features#a.wav", "long.wav: speech-mel-80", "features#d#e"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["long.wav", "image.png", "--start", 1], ArgumentError, r"'long.wav', which is 1\.000 s long.*--start 1\."),
        (["features#a.wav", "image.png", "--start", 5], ArgumentError, r"'a.wav', which is 0\.200 s long"),
        (["long.wav", "image.png", "--start", -1], ArgumentError, "--start must be at least 0"),
        (["long.wav", "image.png", "--seconds", 0], ArgumentError, "--seconds must be greater than 0"),
        (
            ["long.wav", "image.png", "--config", "stft.json", "--start", 0.99],
            ArgumentError,
            r"long enough for a frame of stft\.json\. Received: 0\.01 s",
        ),
        (
            ["features#a.wav", "image.png", "--start", 0.1, "--seconds", 0.0001],
            ArgumentError,
            "centre of a frame of 'a.wav'",
        ),
        (
            ["features", "image.png"],
            ArgumentError,
            "It is a feature set: name one of its clips, such as 'features#a.wav'",
        ),
        ([".", "image.png"], ArgumentError, r"Received: the folder '\.'\. Name audio files, such as \./\*\.wav"),
        (
            ["features#x", "image.png"],
            ClipNotFoundError,
            "Received: 'x'. Its first ids are 'a.wav', 'b/c.wav#0', 'd#e'",
        ),
        (["nowhere#x", "image.png"], ArgumentError, "which is not a file, and 'nowhere' is not a feature set"),
        (["features#a.wav", "image.png", "--config", "mel.json"], ArgumentError, "--config is for audio files"),
        (["nowhere.wav", "image.png"], AudioError, "Could not read 'nowhere.wav'"),
        (["long.wav", "image.png", "--config", "speech"], RegistryError, "Received: 'speech'"),
        (["long.wav", "short.wav"], ArgumentError, "Received: 'short.wav'. The image is the last argument"),
    ],
)
def test_errors_say_what_to_do(feature_set, arguments, kind, message):
    error = error_of(*arguments)
    assert isinstance(error, kind)
    with pytest.raises(kind, match=message):
        raise error


def test_a_remark_names_its_clip(folder, saved):
    soundfile.write("opposite.wav", CLIP[:, :1] * [1, -1], RATE)
    result = run("opposite.wav", "image.png", "--config", "stft.json")
    assert result.exit_code == 0, result.exception
    assert result.stderr == "opposite.wav: the channels cancel each other, so the mixdown to one channel is silent\n"


def test_a_truncated_clip_is_drawn_only_if_that_is_accepted(folder, saved):
    content = (folder / "long.wav").read_bytes()
    (folder / "cut.wav").write_bytes(content[: len(content) // 2])
    assert "--accept-truncated" in str(error_of("cut.wav", "image.png", "--config", "stft.json"))
    result = run("cut.wav", "image.png", "--config", "stft.json", "--accept-truncated")
    assert result.exit_code == 0, result.exception
    assert "cut.wav: " in result.stderr
    assert "feature of shape (4" in result.stdout  # half of 97 frames


def test_nothing_but_the_result_is_printed(folder):
    command = [sys.executable, "-m", "audiopipe", "plot", "long.wav", "日本.png", "--config", "stft.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("日本.png: feature of shape (97, 129, 1)\n", "")


def test_a_stored_set_needs_no_tensorflow(feature_set):
    program = (
        "import sys; from audiopipe import cli; cli.app(sys.argv[1:], standalone_mode=False);"
        "print({'tensorflow', 'matplotlib.pyplot'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, "plot", "features#a.wav", "image.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
