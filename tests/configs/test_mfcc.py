"""Fields, bins and contradictions of configs of cepstral coefficients."""

import numpy as np
import pytest

from audiopipe.configs import Mfcc, from_json
from audiopipe.errors import ConfigError


def test_fields_that_are_left_out_get_their_values():
    config = Mfcc()
    assert (config.liftering, config.delta_width, config.delta_mode, config.log_floor) == (None, None, None, 1e-10)
    config = Mfcc(lifter=22, deltas=1)
    assert (config.liftering, config.delta_width, config.delta_mode) == ("librosa", 5, "edge")
    assert from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_mfcc": 81}, r"n_mfcc must be at most n_mels=80.*Raise n_mels"),
        ({"n_mfcc": 0}, r"n_mfcc must be at least 1"),
        ({"log": None}, r"log must be 'ln', 'log10' or 'db', because a cepstrum"),
        ({"dct_norm": None}, r"dct_norm must be a string"),
        ({"dct_norm": "slaney"}, r"dct_norm must be one of 'ortho', 'htk'"),
        ({"lifter": -1}, r"lifter must be at least 0"),
        ({"liftering": "kaldi"}, r"liftering must be None without lifter.*Set lifter"),
        ({"lifter": 22, "liftering": "htk"}, r"liftering must be one of 'librosa', 'kaldi'"),
        ({"deltas": 3}, r"deltas must be one of 0, 1, 2"),
        ({"delta_width": 5}, r"delta_width must be None without deltas.*Set deltas"),
        ({"delta_mode": "edge"}, r"delta_mode must be None without deltas"),
        ({"deltas": 1, "delta_width": 4}, r"delta_width must be odd"),
        ({"deltas": 1, "delta_mode": "mirror"}, r"delta_mode must be one of 'edge'"),
        ({"top_db": 80.0}, r"top_db must be None unless log='db'"),
    ],
)
def test_invalid_and_contradictory_fields_are_refused_with_advice(arguments, message):
    with pytest.raises(ConfigError, match=f"Mfcc: .*{message}"):
        Mfcc(**arguments)


def test_bins_are_coefficients_then_their_derivatives():
    config = Mfcc(n_mfcc=3, deltas=2, stack_frames=2)
    assert config.n_bins == len(config.frequencies()) == 18
    np.testing.assert_array_equal(config.frequencies()[:7], [0, 1, 2, 0, 1, 2, 0])
    assert config.quantities == ("cepstrum",)
    assert Mfcc(normalization="clip").quantities == ("normalized cepstrum",)
