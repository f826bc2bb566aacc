"""Damage is treated alike in paths, bytes, open files and remote files, and no source is read again and again."""

import io
import subprocess
import sys

import fsspec
import numpy as np
import pytest
from ogg_pages import pages
from written import heard, noise, written

from audiopipe import audio
from audiopipe.errors import AudioError


class _Unseekable(io.RawIOBase):
    """File that can only be read forwards, and counts what was read."""

    def __init__(self, content):
        self.file = io.BytesIO(content)
        self.taken = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        content = self.file.read(len(buffer))
        buffer[: len(content)] = content
        self.taken += len(content)
        return len(content)


class _Counting(io.BufferedReader):
    """Open file that counts what was read."""

    taken = 0

    def read(self, size=-1):
        content = super().read(size)
        self.taken += len(content)
        return content


def _files():
    wav, flac, mp3 = (written(noise(50000), format=form) for form in ("WAV", "FLAC", "MP3"))
    ogg = written(noise(240_000), 48000, format="OGG", subtype="VORBIS")
    return {
        "whole.wav": wav,
        "cut.wav": wav[:-400],
        "joined.wav": wav + wav,
        "joined.flac": flac + flac,
        "cut.flac": flac[:-400],
        "joined.mp3": mp3 + mp3,
        "cut.ogg": ogg[: pages(ogg)[-1][0]],
        "joined.ogg": ogg + ogg,
    }


@pytest.mark.cases(4)
@pytest.mark.parametrize("name", _files())
def test_every_source_of_a_file_gives_the_same_samples_and_remarks(tmp_path, name):
    content = _files()[name]
    rate = 48000 if name.endswith("ogg") else 16000
    expected, remarks = heard(content, rate, accept_truncated=True)
    assert bool(remarks) == name.startswith("cut")
    (tmp_path / name).write_bytes(content)
    with fsspec.open(f"memory://sources/{name}", "wb") as file:
        file.write(content)
    unseekable = _Unseekable(content)
    with (tmp_path / name).open("rb") as opened:
        for source in (tmp_path / name, io.BytesIO(content), opened, f"memory://sources/{name}", unseekable):
            samples, found = heard(source, rate, accept_truncated=True)
            np.testing.assert_array_equal(samples, expected)
            assert found == remarks
    assert unseekable.taken == len(content)


@pytest.mark.parametrize("name", _files())
def test_a_source_is_read_a_bounded_number_of_times(tmp_path, name):
    content = _files()[name]
    (tmp_path / name).write_bytes(content)
    with _Counting(io.FileIO(tmp_path / name)) as file:
        heard(file, accept_truncated=True)
    assert file.taken < 1.2 * len(content) + 200_000


def test_an_error_while_a_remote_file_is_copied_has_the_stage_read():
    class Failing(_Counting):
        def read(self, size=-1):
            if self.tell() > 4096:
                raise OSError("connection reset")
            return super().read(size)

    content = written(noise(50000), format="FLAC")
    with pytest.raises(AudioError, match="connection reset") as caught:
        audio.read(Failing(io.BytesIO(content)), sample_rate=16000)
    assert caught.value.stage == "read"


@pytest.mark.faults
def test_damaged_files_use_little_memory(tmp_path):
    flac = written(noise(20000), format="FLAC")
    mp3, ogg = written(noise(20000), format="MP3"), written(noise(20000), 48000, format="OGG", subtype="OPUS")
    size = 30_000_000
    files = {
        "zeros behind.flac": flac + bytes(size),
        "sync behind.flac": flac + b"\xff\xf8" * (size // 8),
        "zeros behind.mp3": mp3 + bytes(size),
        "zeros inside.mp3": mp3 + bytes(size) + mp3,
        "zeros behind.ogg": ogg + bytes(size),
        "zeros inside.ogg": ogg + bytes(size) + ogg,
        "parts.mp3": mp3 * 2000,
        "parts.ogg": ogg * 500,
        "parts.flac": flac * 200,
        "unknown.wav": b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data"
        + b"\xff\xff\xff\xff" + bytes(size),
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "clean.wav").write_bytes(written(noise(20000), format="WAV"))
    code = f"""
import pathlib, resource, sys
from audiopipe import audio
from audiopipe.errors import AudioError

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

folder = pathlib.Path({str(tmp_path)!r})
audio.read(folder / "clean.wav", sample_rate=16000)
before = used()
for name in {sorted(files)!r}:
    try:
        for block in audio.read_blocks(folder / name, sample_rate=16000, accept_truncated=True, on_remark=repr):
            pass
    except AudioError:
        pass
    print(used() - before, name, file=sys.stderr)
print(used() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200_000, done.stderr  # kilobytes
