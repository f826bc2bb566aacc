"""Errors name the format that was found, and the way out."""

import gzip
import io
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from written import noise, refused, written

ZEROS = bytes(100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"\0\0\0\x20ftypM4A \0\0\0\0" + ZEROS + b"mp4a",
            "MP4 audio (AAC), which libsndfile cannot read. Convert it: ",
        ),
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + ZEROS + b"alac", "MP4 audio (ALAC), which libsndfile cannot read."),
        (b"\0\0\0\x20ftyp3gp4\0\0\0\0" + ZEROS + b"samr", "3GP audio (AMR), which"),
        (b"\0\0\0\x20ftypqt  \0\0\0\0" + ZEROS, "QuickTime audio, which"),
        (b"\x1a\x45\xdf\xa3" + ZEROS[:8] + b"webm" + ZEROS + b"A_OPUS", "WebM (Opus), which libsndfile cannot read."),
        (b"\x1a\x45\xdf\xa3" + ZEROS[:8] + b"matroska" + ZEROS + b"A_AAC", "Matroska (AAC), which"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + ZEROS, "ASF audio (WMA), which"),
        (b"#!AMR\n" + ZEROS, "AMR audio, which"),
        (b"#!AMR-WB\n" + ZEROS, "AMR-WB audio, which"),
        (b"\xff\xf1\x50\x80" + ZEROS, "AAC audio (ADTS), which"),
        (b"ID3\x04\0\0\0\0\0\x02ab\xff\xf1\x50\x80" + ZEROS, "AAC audio (ADTS), which"),
        (b"\x0b\x77" + ZEROS, "AC-3 audio, which"),
        (b"DSD " + ZEROS, "DSD audio (DSF), which"),
        (b"wvpk" + ZEROS, "WavPack audio, which"),
        (b"RIFF\xff\0\0\0AVI " + ZEROS, "AVI video, which"),
        (b".SoX" + ZEROS, "audio in SoX's own format, which libsndfile cannot read. Convert it: ffmpeg -i x.sox"),
        (b"MThd\0\0\0\x06" + ZEROS, "MIDI, which holds notes and no sound, which"),
        (b"<!DOCTYPE html><html>", "it is an HTML page instead of audio: '<!DOCTYPE html><html>'. Download it again."),
        (b'\n{"error": "Not Found"}', "it is JSON instead of audio"),
        (b"<?xml version='1.0'?><Error/>", "it is XML instead of audio"),
        (b"404 Not Found\n" * 300, "it is text instead of audio: '404 Not Found"),
        ("näher\n".encode() * 300, "it is text instead of audio"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "a Git LFS pointer instead of the file itself."),
        (gzip.compress(ZEROS, mtime=0), "it is gzip data. Unpack it: gunzip"),
        (b"PK\x03\x04" + ZEROS, "it is a ZIP archive. Unpack it"),
        (b"", "the file is empty"),
        (b"RIFF", "the file has only 4 bytes"),
        (ZEROS, "all of its 100 bytes are zero"),
    ],
    ids=lambda value: value[:16] if isinstance(value, bytes) else "",
)
def test_formats_that_cannot_be_read_are_named(content, message):
    assert f"Could not decode {len(content)} bytes as audio: " in refused(content)
    assert message in refused(content)


@pytest.mark.parametrize("tag", [0x161, 0x55, 0x1234])
def test_codecs_of_wav_that_cannot_be_read_are_named(tag):
    content = bytearray(written(noise(1000), format="WAV"))
    struct.pack_into("<H", content, 20, tag)
    name = {0x161: "WAV with WMA", 0x55: "WAV with MP3", 0x1234: "WAV with codec 0x1234"}[tag]
    assert f"{name}, which libsndfile cannot read. Convert it: ffmpeg -i x.wav x.flac" in refused(bytes(content))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.m4a", ["-c:a", "aac"], "MP4 audio (AAC), which libsndfile cannot read. Convert it: ffmpeg -i x.m4a x.flac"),
        ("x.mov", ["-c:a", "aac"], "QuickTime audio (AAC), which"),
        ("x.webm", ["-c:a", "libopus"], "WebM (Opus), which libsndfile cannot read."),
        ("x.mka", ["-c:a", "flac"], "Matroska (FLAC), which"),
        ("x.spx", ["-c:a", "libspeex", "-f", "ogg"], "Ogg with Speex, which libsndfile cannot read. Convert it: "),
        ("x.wma", [], "ASF audio (WMA), which"),
        ("x.aac", [], "AAC audio (ADTS), which"),
        ("x.ac3", [], "AC-3 audio, which"),
        ("x.ts", ["-c:a", "aac"], "an MPEG transport stream, which"),
    ],
)
def test_files_of_ffmpeg_are_named_whatever_their_name_is(tmp_path, name, options, message):
    (tmp_path / "clip.wav").write_bytes(written(noise(16000), format="WAV"))
    made = subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "clip.wav", *options, tmp_path / name])
    if made.returncode:
        pytest.skip("this build of ffmpeg lacks the encoder")
    assert message in refused((tmp_path / name).rename(tmp_path / "x.mp3"))


@pytest.mark.parametrize("form", ["MAT4", "MAT5", "SDS", "XI"])
def test_formats_that_do_not_tell_whether_they_are_whole_are_refused(form):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1000), 16000, format=form)
    assert "Write its samples to a WAV or FLAC file" in refused(file.getvalue())


@pytest.mark.parametrize("suffix", ["raw", "al", "ul", "vox", "gsm", "pcm"])
def test_samples_without_a_header_are_refused_whatever_their_name_is(tmp_path, suffix):
    path = tmp_path / f"clip.{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "Format not recognised" in refused(path)


def test_encodings_that_libsndfile_does_not_know_have_a_way_out():
    content = written(noise(1000), format="CAF")
    changed = content.replace(b"lpcm", b"what")
    assert changed != content
    assert "unsupported encoding. Convert it with another program, as in: ffmpeg -i x x.flac" in refused(changed)
