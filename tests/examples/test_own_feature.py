"""The example of a feature of one's own works in every door, on the command line and in blocks."""

import runpy
import sys
from pathlib import Path

import matplotlib.axes
import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from audiopipe import Transform, cli
from audiopipe.errors import ConfigError
from audiopipe.plotting import plot_feature

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_feature"


@pytest.fixture(scope="module")
def team():
    sys.path.insert(0, str(EXAMPLE))
    try:
        import team_features

        yield team_features
    finally:
        sys.path.remove(str(EXAMPLE))


def test_the_example_runs(team, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compute.py", str(tmp_path)])
    runpy.run_path(str(EXAMPLE / "compute.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-3:] == ["feature: (349, 40, 2)", "clips: 7", "same feature: True"]


@pytest.mark.parametrize("lag", [1, 3])
def test_the_flux_is_the_increase_since_an_earlier_frame(team, lag):
    clip = np.random.default_rng(0).uniform(-1, 1, 4000).astype(np.float32)
    config = team.LogMelWithFlux(lag=lag)
    feature = Transform(config)(clip)
    log_mel = feature[..., 0]
    expected = np.concatenate([np.zeros((lag, 40)), np.maximum(log_mel[lag:] - log_mel[:-lag], 0)])
    np.testing.assert_array_equal(feature[..., 1], expected)
    assert feature.shape == (config.n_frames(4000), config.n_bins, 2)


def test_clips_of_a_padded_batch_have_the_bits_that_they_have_alone(team):
    transform, draw = Transform(team.FLUX_40), np.random.default_rng(0)
    clips = [draw.uniform(-1, 1, (size, 1)).astype(np.float32) for size in (4000, 900, 100)]
    batch = np.stack([np.pad(clip, [(0, 4000 - len(clip)), (0, 0)]) for clip in clips])
    for feature, clip in zip(transform(batch, lengths=list(map(len, clips))), clips, strict=True):
        frames = team.FLUX_40.n_frames(len(clip))
        np.testing.assert_array_equal(feature[:frames], transform(clip))
        np.testing.assert_array_equal(
            feature[frames:], np.broadcast_to(team.FLUX_40.padding_frame(1), feature[frames:].shape)
        )


def test_wrong_fields_are_refused(team):
    with pytest.raises(ConfigError, match=r"lag must be at least 1\. Received: lag=0"):
        team.LogMelWithFlux(lag=0)
    with pytest.raises(ConfigError, match="n_mels must be at least 1"):
        team.LogMelWithFlux(n_mels=0)


def test_a_config_that_describes_another_feature_than_its_layer_computes_is_refused_early(team, monkeypatch):
    monkeypatch.setattr(team.LogMelWithFlux, "quantities", ("log power",))
    with pytest.raises(ConfigError) as raised:
        Transform(team.LogMelWithFlux(n_mels=41))
    page = (ROOT / "docs/how-to/own-feature.md").read_text()
    assert str(raised.value) in " ".join(page.split())


def test_each_quantity_is_drawn_on_its_own_scale(team, monkeypatch):
    limits, draw = [], matplotlib.axes.Axes.imshow
    monkeypatch.setattr(
        matplotlib.axes.Axes,
        "imshow",
        lambda axes, values, **options: (
            limits.append((options["vmin"], options["vmax"])),
            draw(axes, values, **options),
        )[1],
    )
    feature = np.stack([np.full((3, 40), -5.0), np.full((3, 40), 2.0)], axis=-1).astype(np.float32)
    feature[0] -= 1
    plot_feature(feature, team.FLUX_40, Figure().subplots(2))
    assert limits == [(-6, -5), (1, 2)]


def test_the_command_line_plots_the_feature_if_it_may_import_the_module(team, tmp_path):
    (tmp_path / "flux.json").write_text(team.FLUX_40.to_json())
    clip, image, config = ROOT / "examples/audio/speech.flac", tmp_path / "speech.png", tmp_path / "flux.json"
    done = CliRunner().invoke(
        cli.app, ["plot", str(clip), str(image), "--config", str(config), "--import", "team_features"]
    )
    assert done.exit_code == 0, done.output
    assert image.exists()
