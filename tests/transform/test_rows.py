"""Tests of the threads that read rows."""

import threading

import numpy as np
import pytest
import soundfile

from audiopipe import Transform
from audiopipe.errors import AudioError
from audiopipe.runtime import threads

RATE = 8000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 3000).astype(np.float32)


@pytest.fixture(autouse=True)
def several_threads(monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 3)


@pytest.fixture
def paths(tmp_path):
    """Paths of 40 clips, of which the last one is no audio."""
    found = [tmp_path / f"{number:02}.wav" for number in range(40)]
    for number, path in enumerate(found):
        soundfile.write(path, NOISE[: 1000 + 50 * number], RATE, subtype="FLOAT")
    found[-1].write_bytes(b"no audio")
    return [str(path) for path in found]


@pytest.fixture
def readers(monkeypatch):
    """Names of the threads that read blocks, one for each clip."""
    found, read_blocks = [], Transform.read_blocks

    def noting(self, *arguments, **keywords):
        found.append(threading.current_thread().name)
        return read_blocks(self, *arguments, **keywords)

    monkeypatch.setattr(Transform, "read_blocks", noting)
    return found


def left():
    return [thread for thread in threading.enumerate() if thread.name.startswith("audiopipe-")]


def test_files_are_read_in_threads_that_end_with_the_iteration(config, paths, readers):
    mel = Transform(config)
    made = list(mel.rows(paths))
    for number, (feature, n_frames) in enumerate(made[:-1]):
        expected = mel(NOISE[: 1000 + 50 * number])
        np.testing.assert_array_equal(feature, expected[..., 0])
        assert n_frames == len(expected)
    assert isinstance(made[-1], AudioError)
    assert readers == 40 * ["audiopipe-read"]
    assert left() == []


def test_samples_that_need_no_decoding_are_read_in_the_thread_of_the_caller(config, readers):
    list(Transform(config).rows([NOISE, {"array": NOISE, "sampling_rate": RATE}]))
    assert readers == 2 * [threading.current_thread().name]


def test_no_thread_is_left_after_an_error_although_its_traceback_is_kept(config, paths):
    with pytest.raises(AudioError) as raised:
        Transform(config)({"audio": [paths[-1], *paths]})
    assert raised.tb is not None
    assert left() == []


def test_closing_the_rows_ends_the_threads(config, paths):
    rows = Transform(config).rows(paths)
    next(rows)
    assert left()
    rows.close()
    assert left() == []
