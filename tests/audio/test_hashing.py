"""Digests of audio sources are those of all their bytes, and remote files are not read twice for them."""

import os
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile
import xxhash
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from audiopipe import audio
from audiopipe.audio import hashing
from audiopipe.errors import AudioError

RATE = 8000
BLOCK = 1 << 14  # bytes that are requested at once


class _Counted(AbstractFileSystem):
    """Remote storage that counts the bytes that are requested of it. Its files are local ones."""

    protocol = "counted"
    cachable = False
    requested = 0

    def info(self, path, **_):
        return {"name": path, "size": os.path.getsize(path), "type": "file"}

    def _open(self, path, mode="rb", **_):
        return _CountedFile(self, path, mode, block_size=BLOCK)


class _CountedFile(AbstractBufferedFile):
    def _fetch_range(self, start, end):
        _Counted.requested += end - start
        return Path(self.path).read_bytes()[start:end]


@pytest.fixture
def requested(monkeypatch):
    """Returns a function that returns how many bytes were requested of remote storage since the last call."""
    fsspec.register_implementation("counted", _Counted, clobber=True)
    monkeypatch.setattr(hashing, "MORE_BYTES", BLOCK)

    def since():
        count, _Counted.requested = _Counted.requested, 0
        return count

    since()
    return since


@pytest.fixture
def samples():
    return (0.1 * np.random.default_rng(0).standard_normal(60_000)).astype("float32")


def _read(path, seconds=None):
    """Returns the digest of a file after all of it, or its first seconds, were decoded."""
    with audio.opened(str(path)) as file:
        blocks = audio.read_blocks(file, sample_rate=RATE, on_remark=lambda remark: None)
        received = 0
        while (seconds is None or received < seconds * RATE) and (block := next(blocks, None)) is not None:
            received += len(block)
        blocks.close()
        return file.digest()


def _digest(path):
    return xxhash.xxh3_128_digest(Path(path).read_bytes())


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff", "caf", "au"])
@pytest.mark.parametrize("place", ["", "counted://"])
def test_the_digest_is_that_of_all_bytes(tmp_path, samples, requested, extension, place):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, samples, RATE)
    assert _read(f"{place}{path}") == _digest(path)
    with audio.opened(path.read_bytes()) as file:
        assert file.digest() == _digest(path)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_a_digest_requests_nothing_more_of_remote_storage(tmp_path, samples, requested, extension):
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, samples, RATE)
    audio.read(f"counted://{path}", sample_rate=RATE)
    without = requested()
    assert _read(f"counted://{path}") == _digest(path)
    assert requested() == without


@pytest.mark.parametrize("rest", [b"", b"LIST\x40\x00\x00\x00" + bytes(64)], ids=["nothing", "chunk"])
def test_chunks_that_a_decoder_skips_are_part_of_the_digest(tmp_path, samples, requested, rest):
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE)
    content = path.read_bytes()
    junk = b"JUNK" + (10_000).to_bytes(4, "little") + bytes(10_000)
    body = content[12:36] + junk + content[36:] + rest
    path.write_bytes(b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body)
    assert _read(f"counted://{path}") == _digest(path)
    assert requested() <= os.path.getsize(path) + 2 * BLOCK


def test_a_remote_file_of_which_much_is_not_read_has_no_digest(tmp_path, samples, requested, monkeypatch):
    monkeypatch.setattr("audiopipe.audio.conversion.BLOCK_SAMPLES", 4000)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE)
    assert _read(f"counted://{path}", seconds=1) is None
    assert requested() < 4 * BLOCK
    assert _read(f"counted://{path}", seconds=6.9) == _digest(path)
    assert _read(path, seconds=1) == _digest(path)


def test_a_file_that_changes_after_it_was_opened_has_no_digest(tmp_path, samples):
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE)
    with audio.opened(path) as file:
        assert file.digest() == _digest(path)
        path.write_bytes(b"other")
        assert file.digest() is None


def test_a_file_that_was_replaced_has_the_digest_of_what_was_decoded(tmp_path, samples):
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(path, samples, RATE)
    expected = _digest(path)
    with audio.opened(path) as file:
        soundfile.write(other, samples[::-1], RATE)
        other.replace(path)
        np.testing.assert_allclose(audio.read(file, sample_rate=RATE)[:, 0], samples, atol=1e-4)
        assert file.digest() == expected


def test_an_opened_source_is_named_by_its_path_in_errors(tmp_path, samples):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([samples] * 3, axis=1), RATE)
    with audio.opened(path) as file, pytest.raises(AudioError, match=r"a\.wav'.*3"):
        audio.read(file, sample_rate=RATE, channels=2)
