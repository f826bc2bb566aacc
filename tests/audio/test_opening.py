"""Failures outside the decoder have the stage `read`."""

import io
import os
import threading

import numpy as np
import pytest
import soundfile

from audiopipe import audio
from audiopipe.audio import conversion, opening
from audiopipe.errors import AudioError

RATE = 8000


@pytest.fixture
def path(tmp_path):
    soundfile.write(tmp_path / "clip.wav", 0.1 * np.random.default_rng(0).standard_normal(30000), RATE)
    return tmp_path / "clip.wav"


class _Failing(io.BytesIO):
    """File whose connection breaks off after 20,000 bytes."""

    error: BaseException = OSError("connection reset")

    def read(self, size=-1):
        if self.tell() + max(size, 0) > 20000:
            raise self.error
        return super().read(size)


class _Stingy(io.BytesIO):
    """File that returns at most 100 bytes per read, as a socket may."""

    def read(self, size=-1):
        return super().read(min(size, 100) if size >= 0 else size)


def test_a_read_error_of_an_open_file_is_not_treated_as_its_end(path, capfd):
    with pytest.raises(AudioError, match="Could not read an open file: connection reset") as caught:
        audio.read(_Failing(path.read_bytes()), sample_rate=RATE)
    assert caught.value.stage == "read"
    assert capfd.readouterr().err == ""


def test_an_interrupt_while_an_open_file_is_read_is_raised(path):
    file = _Failing(path.read_bytes())
    file.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        audio.read(file, sample_rate=RATE)


def test_a_short_read_of_an_open_file_is_not_treated_as_its_end(path):
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    np.testing.assert_array_equal(audio.read(_Stingy(path.read_bytes()), sample_rate=RATE), expected)


def test_readinto_fills_its_buffer_despite_short_reads(path):
    with opening.opened(_Stingy(path.read_bytes())) as file:
        handle = file.handle(None)
        buffer = bytearray(b"." * 300)
        assert handle.readinto(memoryview(buffer)[:250]) == 250
        assert buffer == path.read_bytes()[:250] + b"." * 50
        handle.seek(-100, os.SEEK_END)
        assert handle.readinto(memoryview(buffer)) == 100
        assert buffer[:100] == path.read_bytes()[-100:]
    assert handle.error is None


def test_a_file_that_changes_while_it_is_read_fails(path, monkeypatch):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 1000)
    blocks = audio.read_blocks(path, sample_rate=RATE)
    next(blocks)
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(AudioError, match=r"clip\.wav' changed while it was read") as caught:
        list(blocks)
    assert caught.value.stage == "read"


def test_a_file_that_vanishes_while_it_is_open_is_read(path):
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    with opening.opened(path) as file:
        path.unlink()
        assert file.at(0, 4) == b"RIFF"
        with soundfile.SoundFile(file.handle(None), closefd=False) as sound:
            np.testing.assert_array_equal(sound.read(dtype="float32", always_2d=True), expected)


def test_an_open_file_that_cannot_seek_is_read(path):
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    reading, writing = os.pipe()
    writer = threading.Thread(target=lambda: os.fdopen(writing, "wb").write(path.read_bytes()))
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        np.testing.assert_array_equal(audio.read(pipe, sample_rate=RATE), expected)
    writer.join()


def test_an_open_file_is_read_from_its_position(path):
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
    for content in (path.read_bytes(), path.read_bytes() * 2):
        file = io.BytesIO(b"in front" + content)
        file.seek(8)
        assert len(audio.read(file, sample_rate=RATE)) == len(expected) * (len(content) // len(path.read_bytes()))


def test_the_size_of_every_source_is_known(path):
    content = path.read_bytes()
    for source in (path, content, io.BytesIO(content)):
        with opening.opened(source) as file:
            assert file.size == len(content) == 60044
