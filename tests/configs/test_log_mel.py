"""Fields, contradictions and numbers of frames of log-mel configs."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.configs import LogMel, from_json
from audiopipe.errors import ConfigError

KALDI = {"win_length": 400, "hop_length": 160, "edges": "snip"}
CLIP = {"n_fft": 400, "hop_length": 160, "clip_seconds": 1.0}


@pytest.mark.parametrize(
    ("arguments", "resolved"),
    [
        ({}, {"win_length": 512, "hop_length": 128, "f_max": 8000.0, "log_floor": 1e-10, "periodic": True}),
        ({"log": None}, {"log_floor": None}),
        ({"log_offset": 1e-3}, {"log_floor": None}),
        ({"log": "db", "sample_rate": 22050}, {"log_floor": 1e-10, "f_max": 11025.0}),
        ({"window": "povey"}, {"periodic": False}),
        ({"window": "rectangular"}, {"periodic": False}),
        ({"window": "hamming"}, {"periodic": True}),
        ({"preemphasis": 0.97}, {"preemphasis_of": "frame"}),
        ({"clip_seconds": 10}, {"clip_seconds": 10.0, "short_clips": "pad", "long_clips": "cut"}),
        (KALDI, {"frame_length": 400, "window_position": "start", "pad_mode": None}),
        ({**KALDI, "edges": "center"}, {"frame_length": 512, "window_position": "center", "pad_mode": "constant"}),
        ({**KALDI, "edges": "same"}, {"frame_length": 512, "window_position": "center", "pad_mode": "reflect"}),
        ({**KALDI, "edges": "midpoint"}, {"frame_length": 400, "window_position": "start", "pad_mode": "symmetric"}),
        ({"win_length": 3}, {"hop_length": 1}),
    ],
)
def test_fields_that_are_left_out_get_their_values(arguments, resolved):
    config = LogMel(**arguments)
    assert {name: getattr(config, name) for name in resolved} == resolved
    assert from_json(config.to_json()) == config
    assert dataclasses.replace(config) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": "snip", "pad_mode": "reflect"}, r"pad_mode must be None for edges='snip'.*Choose edges='center'"),
        ({"edges": "centered"}, r"edges must be one of 'snip', 'center', 'same', 'midpoint'.*'centered'"),
        ({"window": "povey", "win_length": 1}, r"win_length must be at least 3 for a symmetric window='povey'"),
        ({"window": "hann", "periodic": False, "win_length": 2}, r"win_length must be at least 3"),
        ({"window": "povey", "periodic": True}, r"periodic must be False for window='povey'.*Leave it out"),
        ({"window": "hanning"}, r"window must be one of 'hann', .*'hanning'"),
        ({"mel_triangles": "mel", "f_max": 8001.0}, r"f_max must be .* at most half the sample rate, 8000 Hz.*8001"),
        ({"f_min": 8000.0}, r"f_max must be greater than f_min=8000"),
        ({"win_length": 400, "frame_length": 399}, r"frame_length must be at least 400. Received: frame_length=399"),
        ({"win_length": 513}, r"win_length must be at most n_fft.*Raise n_fft to at least 513"),
        ({"edges": "same", "hop_length": 513}, r"hop_length must be at most frame_length=512 for edges='same'"),
        ({"short_clips": "repeat"}, r"short_clips must be None without clip_seconds.*Set clip_seconds"),
        ({"long_clips": "error"}, r"long_clips must be None without clip_seconds.*Set clip_seconds"),
        (
            {"clip_seconds": 1 / 3},
            r"clip_seconds must be a whole number of samples at 16000 Hz.*Use 0\.3333125 for 5333",
        ),
        ({"clip_seconds": 1e6}, r"clip_seconds must be at most 86400"),
        ({**KALDI, "clip_seconds": 0.02}, r"clip_seconds must be long enough for a row of 1 frames .*It has 0 frames"),
        ({"clip_seconds": 1.0, "short_clips": "loop"}, r"short_clips must be one of 'pad', 'repeat'.*'loop'"),
        ({"gain": 0}, r"gain must be at least"),
        ({"gain": 1e30}, r"gain must be at most"),
        ({"preemphasis": 1e-40}, r"preemphasis must be 0 or at least 1.17549e-38"),
        ({"remove_dc_offset": True, "win_length": 1}, r"win_length must be at least 2 with remove_dc_offset=True"),
        (
            {"log_factor": 1e-20, "log_floor": 1e-30},
            r"log_factor must be such that log_factor \* log_floor is 1.17549e-38",
        ),
        ({"log_factor": 1e30, "log_floor": 1e30}, r"log_factor must be such that"),
        ({"log": "db", "top_db": 80.0, "log_floor": 2.0}, r"log_floor must be at most 1 with top_db.*Lower it"),
        (
            {"center_value": 1e20, "scale_value": 1e-20},
            r"center_value must be 0, or 1e-30 to 1e\+30 in size, also divided",
        ),
        ({"padding_value": 1e-20, "scale_value": 1e20}, r"padding_value must be 0, or 1e-30 to 1e\+30 in size"),
        ({"padding_value": 1e-40}, r"padding_value must be 0, or 1e-30 to 1e\+30 in size"),
        ({"sample_rate": 10**400}, r"sample_rate must be at most 2147483647"),
        ({"n_fft": 10**12}, r"n_fft must be at most 2147483647"),
        ({"hop_length": 2**31}, r"hop_length must be at most 2147483647"),
        ({"n_mels": 2**31}, r"n_mels must be at most 8355967"),
        ({"fixed_frames": 2**31}, r"fixed_frames must be at most 26843545"),
        ({"preemphasis": 1.0}, r"preemphasis must be less than 1. Received: preemphasis=1.0"),
        ({"preemphasis": -0.1}, r"preemphasis must be at least 0"),
        ({"preemphasis_of": "frame"}, r"preemphasis_of must be None without preemphasis.*Set preemphasis"),
        ({"power": 1.5}, r"power must be one of 1\.0, 2\.0. Received: power=1\.5"),
        ({"magnitude_offset": 1e-9}, r"magnitude_offset must be 0 for power=2\.0.*Use power=1\.0"),
        ({"log": "log"}, r"log must be one of 'ln', 'log10', 'db', None.*'log'"),
        ({"log": "db", "power": 1.0}, r"decibels are of powers.*use log='log10' and scale_value=0\.05"),
        ({"log_offset": 1e-3, "log_floor": 1e-5}, r"log_floor must be None with log_offset=0\.001.*Use one of the two"),
        ({"log": None, "log_floor": 1e-5}, r"log_floor must be None for log=None.*Choose log='ln'"),
        ({"log": None, "log_offset": 1.0}, r"log_offset must be 0\.0 for log=None"),
        ({"log_floor": 0.0}, r"log_floor must be at least 1.17549e-38"),
        ({"log_offset": 1e-40}, r"log_offset must be 0 or at least 1e-30"),
        ({"top_db": 80.0}, r"top_db must be None unless log='db'.*Choose log='db'"),
        ({"log": "db", "top_db": 80.0, "log_offset": 1e-3}, r"log_offset must be 0\.0 with top_db.*Use log_floor"),
        ({"ddof": 1}, r"ddof must be 0 without normalization.*Set normalization='clip'"),
        ({"std_epsilon": 1e-5}, r"std_epsilon must be 0 without normalization"),
        ({"normalization": "clip", "ddof": 2}, r"ddof must be one of 0, 1"),
        ({"normalization": "global"}, r"normalization must be one of 'clip', None"),
        (
            {"normalization": "clip", "clip_seconds": 1.0},
            r"normalization must be None if short clips are padded.*Use fixed_frames instead",
        ),
        ({"scale_value": 0.0}, r"scale_value must be at least 1e-30"),
        ({"stack_frames": 0}, r"stack_frames must be at least 1"),
        ({"fixed_frames": 0}, r"fixed_frames must be at least 1"),
        ({"masked_frames": -1}, r"masked_frames must be at least 0"),
        ({"padding_value": float("nan")}, r"padding_value must be finite"),
        ({"sample_rate": 16000.0}, r"sample_rate must be an integer"),
        ({"mel_norm": 1}, r"mel_norm must be a string"),
        ({"mel_scale": "kaldi"}, r"mel_scale must be one of 'htk', 'slaney'"),
    ],
)
def test_invalid_and_contradictory_fields_are_refused_with_advice(arguments, message):
    with pytest.raises(ConfigError, match=f"LogMel: .*{message}"):
        LogMel(**arguments)


@pytest.mark.parametrize(
    ("arguments", "quantity"),
    [
        ({}, "log power"),
        ({"power": 1.0, "log": "log10"}, "log magnitude"),
        ({"log": "db"}, "decibel"),
        ({"log": None}, "power"),
        ({"log": None, "power": 1.0}, "magnitude"),
        ({"normalization": "clip"}, "normalized log power"),
        ({"log": "db", "center_value": -4.0}, "normalized decibel"),
        ({"scale_value": 2.0}, "normalized log power"),
    ],
)
def test_a_config_names_its_quantity(arguments, quantity):
    assert LogMel(**arguments).quantities == (quantity,)


def test_a_stacked_row_has_the_bands_of_its_frames_in_turn():
    librosa = pytest.importorskip("librosa")
    config = LogMel(n_mels=40, f_min=20.0, f_max=7600.0, stack_frames=2)
    assert config.n_bins == 80
    expected = librosa.mel_frequencies(42, fmin=20.0, fmax=7600.0, htk=True)[1:-1]
    np.testing.assert_allclose(config.frequencies(), np.tile(expected, 2), rtol=1e-9)
    slaney = LogMel(mel_scale="slaney").frequencies()
    np.testing.assert_allclose(slaney, librosa.mel_frequencies(82, fmax=8000.0)[1:-1], rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "valid", "frames"),
    [  # of clips of 0, 159, 160, 16000, 16100 and 20000 samples
        (KALDI, [0, 0, 0, 98, 99, 123], None),
        ({**KALDI, "stack_frames": 2}, [0, 0, 0, 49, 49, 61], [0, 0, 0, 49, 50, 62]),
        ({**KALDI, "fixed_frames": 99}, [0, 0, 0, 98, 99, 99], [99] * 6),
        ({**KALDI, "stack_frames": 4, "fixed_frames": 30}, [0, 0, 0, 24, 24, 30], [30] * 6),
        # Parakeet of transformers: n // 160 valid frames of n // 160 + 1
        ({"hop_length": 160, "masked_frames": 1}, [0, 0, 1, 100, 100, 125], [1, 1, 2, 101, 101, 126]),
        (CLIP, [0, 1, 2, 101, 101, 101], [101] * 6),
        ({**CLIP, "masked_frames": 1}, [0, 1, 2, 100, 100, 100], [101] * 6),
        ({**CLIP, "short_clips": "repeat"}, [101] * 6, None),
        ({**CLIP, "edges": "snip"}, [0, 0, 0, 98, 98, 98], [98] * 6),
    ],
)
def test_numbers_of_frames(arguments, valid, frames):
    config, sizes = LogMel(**arguments), [0, 159, 160, 16000, 16100, 20000]
    frames = valid if frames is None else frames
    assert [config.n_frames(size) for size in sizes] == frames
    assert [config.valid_frames(size) for size in sizes] == valid
    for of in (np.uint16, np.int64):
        assert config.n_frames(np.array(sizes, of)).tolist() == frames
        assert config.valid_frames(np.array(sizes, of)).tolist() == valid
    assert config.n_frames(tf.constant(sizes)).numpy().tolist() == frames
    assert config.valid_frames(tf.constant(sizes)).numpy().tolist() == valid
    assert config.pads_clips == (frames != valid)


@pytest.mark.parametrize("edges", ["snip", "center", "same", "midpoint"])
@pytest.mark.parametrize("sizes", [(8, 8, 3), (9, 7, 4), (8, 5, 8)])
def test_a_longer_clip_than_kept_samples_has_more_frames_than_are_fixed(edges, sizes):
    n_fft, win_length, hop_length = sizes
    arguments = {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length, "edges": edges, "n_mels": 2}
    free, fixed = LogMel(**arguments), LogMel(**arguments, fixed_frames=3)
    kept = fixed.kept_samples(10**6)
    assert (free.n_frames(kept), free.n_frames(kept + 1)) == (3, 4)
    assert fixed.kept_samples(np.array([0, kept, kept + 1])).tolist() == [0, kept, kept]


def test_clips_that_must_not_be_longer_have_a_maximum():
    config = LogMel(sample_rate=48000, n_fft=1024, hop_length=480, clip_seconds=10.0, long_clips="error")
    assert config.max_samples == config.kept_samples(10**6) == 480_000
    assert LogMel(**CLIP).max_samples is None


def test_padding_is_a_given_value_after_the_affine_step():
    ast = LogMel(**KALDI, fixed_frames=1024, padding_value=0.0, center_value=-4.2677393, scale_value=2 * 4.5689974)
    assert ast.padding == pytest.approx(4.2677393 / (2 * 4.5689974), rel=1e-6)
    assert LogMel(padding_value=0.0, normalization="clip").padding == 0.0


def test_rows_start_and_are_centred_where_their_windows_are():
    arguments = {"sample_rate": 1000, "n_fft": 400, "win_length": 200, "hop_length": 100, "n_mels": 20}
    np.testing.assert_allclose(LogMel(**arguments).frame_times(3), [-0.1, 0.0, 0.1])
    np.testing.assert_allclose(LogMel(**arguments).frame_centres(3), [0.0, 0.1, 0.2])
    symmetric = LogMel(**arguments, edges="snip", window="povey", stack_frames=2)
    np.testing.assert_allclose(symmetric.frame_times(2), [0.0, 0.2])
    np.testing.assert_allclose(symmetric.frame_centres(2), [0.1495, 0.3495])
