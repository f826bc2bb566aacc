"""The config field `channel`: which values are valid, and how it reaches JSON, fingerprint and the command line."""

import dataclasses
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from audiopipe import configs
from audiopipe.cli.command_line import app
from audiopipe.configs import MelSpectrogram, StftMagnitude, WhisperLogMel
from audiopipe.errors import ConfigError


@pytest.mark.parametrize("cls", [StftMagnitude, MelSpectrogram, WhisperLogMel])
def test_without_a_channel_the_fingerprint_and_the_stamp_are_those_of_releases_without_the_field(cls):
    assert cls(channel=None).fingerprint == cls().fingerprint
    assert "channel" not in cls().identity()
    assert "channel" not in json.loads(cls().stamp())["config"]


def test_each_channel_is_a_feature_of_its_own():
    made = [MelSpectrogram(channel=channel) for channel in (None, 0, 1, 63)]
    assert len({config.fingerprint for config in made}) == 4
    assert json.loads(made[2].stamp())["config"]["channel"] == 1


@pytest.mark.parametrize("channel", [None, 0, 1, 63])
def test_the_channel_survives_json(channel):
    config = MelSpectrogram(channel=channel)
    assert json.loads(config.to_json())["channel"] == channel
    assert configs.from_json(config.to_json()) == config


def test_integers_of_numpy_are_canonical():
    config = MelSpectrogram(channel=np.int64(1))
    assert config == MelSpectrogram(channel=1)
    assert type(config.channel) is int


def test_diff_names_the_channel():
    assert MelSpectrogram(channel=0).diff(MelSpectrogram()) == "channel: 0 != None"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channel": True}, "channel must be an integer. Received: channel=True"),
        ({"channel": False}, "channel must be an integer. Received: channel=False"),
        ({"channel": -1}, "channel must be None or 0 .. 63. Received: channel=-1"),
        ({"channel": 64}, "channel must be None or 0 .. 63. Received: channel=64"),
        ({"channel": 1.0}, "channel must be an integer. Received: channel=1.0"),
        ({"channel": "left"}, "channel must be an integer. Received: channel='left'"),
        ({"channel": 0, "channels": 2}, "channels must be 1 if the config picks channel 0"),
        ({"channel": 1, "channels": None}, "channels must be 1 if the config picks channel 1"),
    ],
)
def test_other_values_are_refused(fields, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        MelSpectrogram(**fields)


def test_a_config_with_a_channel_can_be_replaced_by_one_that_keeps_all():
    config = dataclasses.replace(MelSpectrogram(channel=1), channel=None, channels=None)
    assert config == MelSpectrogram(channels=None)


def test_the_feature_has_the_shape_of_a_mono_feature():
    assert StftMagnitude(channel=1).feature_shape(10, 1) == StftMagnitude().feature_shape(10, 1)
    assert StftMagnitude(channel=1).feature_channels == 1


def test_the_command_line_shows_the_channel(tmp_path):
    config = MelSpectrogram(channel=1)
    (tmp_path / "config.json").write_text(config.to_json())
    shown = CliRunner().invoke(app, ["configs", "show", str(tmp_path / "config.json")])
    assert shown.exit_code == 0
    assert '"channel": 1' in shown.output
    assert config.fingerprint in shown.output
    (tmp_path / "mixed.json").write_text(MelSpectrogram().to_json())
    compared = CliRunner().invoke(
        app, ["configs", "diff", *(str(tmp_path / name) for name in ("config.json", "mixed.json"))]
    )
    assert compared.exit_code == 1
    assert compared.output.strip() == "channel: 1 != None"
