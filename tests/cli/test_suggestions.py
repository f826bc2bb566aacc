"""Tests of what the command line suggests for misspelt words."""

import re

import pytest
from typer.testing import CliRunner

from audiopipe import cli
from audiopipe.errors import AudiopipeError

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
PRECOMPUTE = ("precompute", "clips", "features")


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (("verfy", "features"), "No such command 'verfy'. Did you mean 'verify'?"),
        (("configs", "sho"), "No such command 'sho'. Did you mean 'show'?"),
        ((*PRECOMPUTE, "--config", "speech-mel-80", "--worker", "4"), "such option: --worker. Did you mean --workers?"),
        ((*PRECOMPUTE, "--confg", "speech-mel-80"), "No such option: --confg. Did you mean --config?"),
        ((*PRECOMPUTE, "--num_shards=4"), "No such option: --num_shards. Did you mean --num-shards?"),
        (
            (*PRECOMPUTE, "--config", "speech-mel-80", "--dtype", "float23"),
            "'float23' is not one of float32, float16, bfloat16. Did you mean float32",
        ),
        (("verify", "features", "--input", "clips", "--door=tfdat"), "'tfdat' is not one of tfdata, hf, both."),
    ],
)
def test_a_misspelt_word_is_a_usage_error_with_a_suggestion(words, suggestion):
    result = runner.invoke(cli.app, words)
    assert result.exit_code == 2
    assert suggestion in re.sub(r"[\s│]+", " ", result.stderr)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("plot", "clip.wav"), "IMAGE"),
        (("plot", "clip.wav", "--start", "1"), "IMAGE"),
        (("plot", "--start", "1"), "CLIP"),
        (("plot",), "CLIP"),
        (("precompute", "clips"), "OUTPUT"),
        (("merge", "features"), "OUTPUT"),
        (("merge",), "SET"),
        (("inspect",), "OUTPUT"),
    ],
)
def test_the_argument_that_is_missing_is_named(words, missing):
    result = runner.invoke(cli.app, words)
    assert result.exit_code == 2
    assert f"Missing argument '{missing}'" in result.stderr


def test_the_usage_says_which_argument_can_be_repeated():
    result = runner.invoke(cli.app, ["plot", "clip.wav"])
    assert "plot [OPTIONS] CLIP... IMAGE\n" in result.stderr


def test_a_misspelt_option_of_other_commands_gets_a_suggestion():
    result = runner.invoke(cli.app, ["verify", "features", "--tolerence", "1"])
    assert result.exit_code == 2
    assert "--tolerance" in result.stderr


def test_an_option_that_is_like_none_is_left_to_beam(tmp_path):
    result = runner.invoke(cli.app, [*PRECOMPUTE, "--config", "speech-mel-80", "--frobnicate=1"])
    assert isinstance(result.exception, AudiopipeError)
    assert "Neither audiopipe nor Apache Beam has the option --frobnicate=1" in str(result.exception)


def test_a_misspelt_option_or_runner_of_beam_gets_a_suggestion():
    words = [*PRECOMPUTE, "--config", "speech-mel-80"]
    result = runner.invoke(cli.app, [*words, "--runer=DirectRunner"])
    assert "has the option --runer=DirectRunner. Did you mean --runner" in str(result.exception)
    result = runner.invoke(cli.app, [*words, "--runner=DirectRuner"])
    assert "Did you mean DirectRunner" in str(result.exception)


def test_a_value_is_not_taken_for_an_option():
    result = runner.invoke(cli.app, [*PRECOMPUTE, "--config", "--worker"])
    assert "No such option" not in result.stderr


def test_a_misspelt_name_gets_a_suggestion():
    result = runner.invoke(cli.app, ["configs", "show", "speach-mel-80"])
    assert "Received: 'speach-mel-80'. Did you mean speech-mel-80" in str(result.exception)
