"""Damaged files fail fast, at the right stage and with little memory. A partial clip never passes for a whole one."""

import functools
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from damaged_audio import KINDS, damage
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import audio
from audiopipe.errors import AudioError

RATE = 16000
SUFFIXES = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}


@functools.cache
def _file(format, subtype=None):
    """Returns the bytes of a file of 1.1 seconds, and its samples."""
    samples = (0.1 * np.random.default_rng(0).standard_normal((17600, 1))).astype("float32")
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=format, subtype=subtype)
    return file.getvalue(), soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage_fails_at_its_stage(tmp_path, kind, suffix):
    if (kind, suffix) == ("truncated data", "ogg"):
        pytest.skip("a truncated Ogg file is read up to its last complete page; see test_ogg.py")
    rng = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / f"{number}.{suffix}"
        path.write_bytes(_file(SUFFIXES[suffix])[0])
        assert len(audio.read(path, sample_rate=RATE)) > 17000
        damage(kind, path, rng)
        with pytest.raises(AudioError, match=rf"{number}\.{suffix}") as caught:
            audio.read(path, sample_rate=RATE)
        assert caught.value.stage == KINDS[kind]


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "IMA_ADPCM"),
        ("WAVEX", "PCM_24"),
        ("RF64", "PCM_16"),
        ("W64", "FLOAT"),
        ("AIFF", "PCM_16"),
        ("AU", "ULAW"),
        ("CAF", "PCM_16"),
        ("CAF", "ALAC_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
def test_a_truncated_file_fails_or_has_all_samples(format, subtype):
    content, expected = _file(format, subtype)
    rate = soundfile.info(io.BytesIO(content)).samplerate
    whole, stages = [], set()

    def check(length):
        remarks = []
        try:
            samples = audio.read(content[:length], sample_rate=rate, channels=None, on_remark=remarks.append)
        except AudioError as error:
            stages.add(error.stage)
            return
        if not remarks:
            np.testing.assert_array_equal(samples, expected)
            whole.append(length)
        elif format != "OGG":  # whose pages may hold a second
            assert len(samples) > 0.99 * len(expected) - 1

    settings(max_examples=60, deadline=None)(given(st.integers(0, len(content) - 1))(check))()
    for length in range(len(content) - 40, len(content)):
        check(length)
    assert not whole or format in ("WAV", "WAVEX", "W64", "CAF", "AIFF"), whole
    assert stages == {"decode"}


def test_a_flac_file_cut_between_two_frames_fails():
    content, _ = _file("FLAC")
    frames = [at for at in range(len(content)) if content[at : at + 2] == b"\xff\xf8"]
    counts = set()
    for cut in frames:
        with soundfile.SoundFile(io.BytesIO(content[:cut])) as sound:
            sound.seekable = lambda: False
            try:
                counts.add(len(sound.read(10**5, dtype="float32")))
            except soundfile.LibsndfileError:
                continue
        with pytest.raises(AudioError, match=r"\d+ of 17600 samples could be decoded") as caught:
            audio.read(content[:cut], sample_rate=RATE)
        assert caught.value.stage == "decode"
    assert counts >= {0, 4096, 8192}  # libsndfile alone reads these without an error


def test_samples_before_the_damage_are_yielded_before_the_error():
    content, expected = _file("WAV")
    found = []
    with pytest.raises(AudioError, match="the data chunk has 20000 of 35200 bytes"):
        found.extend(audio.read_blocks(content[: len(content) - 15200], sample_rate=RATE))
    np.testing.assert_array_equal(np.concatenate(found), expected[:10000])


def test_the_error_says_what_is_missing_and_what_to_do():
    with pytest.raises(AudioError, match=r"^The audio in \d+ bytes is damaged: the data chunk .*\. Download or record"):
        audio.read(_file("WAV")[0][:-1000], sample_rate=RATE)
    with pytest.raises(AudioError, match=r"as audio: .* The file is damaged: the last Ogg page .*\. Download"):
        audio.read(_file("OGG")[0][:200], sample_rate=RATE)


@pytest.mark.parametrize(
    ("rate", "sample_rate", "stage", "message"),
    [
        (10_000_001, RATE, "decode", "at most 10000000 Hz. Received: 10000001 Hz"),
        (2**31 - 1, 2**31 - 1, "decode", "at most 10000000 Hz. Received: 2147483647 Hz"),
        (15, RATE, "resample", "at least 1/1000 of the config's 16000 Hz. Received: 15 Hz"),
        (1, 48000, "resample", "at least 1/1000 of the config's 48000 Hz. Received: 1 Hz"),
    ],
)
def test_absurd_sample_rates_are_refused(rate, sample_rate, stage, message):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(100000), rate, format="WAV")
    with pytest.raises(AudioError, match=message) as caught:
        audio.read(file.getvalue(), sample_rate=sample_rate)
    assert caught.value.stage == stage


def test_absurd_headers_use_little_memory():
    code = """
import io, resource, struct, sys
import numpy as np
from audiopipe import audio
from audiopipe.errors import AudioError

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def wav(rate=16000, channels=1, align=2, bits=16, claim=0xEE000000, fmt=16):
    head = struct.pack("<4sI4s4sI", b"RIFF", 4_000_000_000, b"WAVE", b"fmt ", fmt)
    head += struct.pack("<HHIIHH", 1, channels, rate, 32000, align, bits)
    return head + struct.pack("<4sI", b"data", claim) + bytes(1000)

aiff = struct.pack(">4sI4s4sIhIh", b"FORM", 2**31, b"AIFF", b"COMM", 18, 1, 2**31, 16)
aiff += bytes.fromhex("400CFA00000000000000")
aiff += struct.pack(">4sIII", b"SSND", 0xEE000000, 0, 0) + bytes(1000)
au = struct.pack(">4s5I", b".snd", 24, 0xEE000000, 3, 16000, 1) + bytes(1000)
caf = struct.pack(">4sHH4sqd4s5I", b"caff", 1, 0, b"desc", 32, 16000, b"lpcm", 0, 2, 1, 1, 16)
caf += struct.pack(">4sqI", b"data", 2**40, 0) + bytes(1000)
contents = [wav(), wav(channels=65535), wav(channels=1024), wav(align=65535), wav(bits=65535), wav(fmt=0xEE000000)]
contents += [wav(rate=2**31 - 1), wav(rate=1), wav(rate=1, claim=1000), wav(rate=0), aiff, au, caf]
contents += [b"ID3\\x04\\x00\\x00\\x7f\\x7f\\x7f\\x7f" + bytes(1000)]
contents += [b"OggS" + b"\\xff" * 1000, b"fLaC" + b"\\xff" * 1000]
audio.read(wav(claim=1000), sample_rate=8000)
before = used()
for number, content in enumerate(contents):
    try:
        audio.read(content, sample_rate=16000)
    except AudioError:
        continue
    raise SystemExit(f"number {number} was read")
print(used() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 24_000  # kilobytes
