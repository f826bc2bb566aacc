"""All frames of MPEG files are heard, whatever their headers announce, and what is missing is told."""

import shutil
import subprocess

import numpy as np
import pytest
import soxr
from written import RATE, decoded, heard, noise, refused, written

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def _mp3(frames=16000, rate=RATE, channels=1, seed=0):
    """Returns a file whose first frame announces the others."""
    return written(noise(frames, channels, seed), rate, format="MP3")


def _plain(frames=20000, rate=RATE, channels=1, bitrate=0.5):
    """Returns the frames of a file behind the first one, which announces them, and the size of a frame."""
    options = {"bitrate_mode": "CONSTANT", "compression_level": bitrate}
    content = written(noise(frames, channels), rate, format="MP3", **options)
    size = next(at for at in range(20, 2000) if content[at : at + 2] == content[:2])
    return content[size:], size


def test_joined_files_with_announcements_are_read_one_by_one():
    parts = [_mp3(16000), _mp3(8000, seed=1), _mp3(16000, seed=2)]
    samples, remarks = heard(b"".join(parts))
    assert len(samples) == 40000
    np.testing.assert_allclose(samples, np.concatenate([decoded(part) for part in parts]), atol=1e-6)
    assert not remarks


def test_joined_files_of_other_rates_and_channels_are_converted_on_their_own():
    one, two = _mp3(22050, 22050), _mp3(44100, 44100, channels=2)
    mixed = decoded(two).sum(axis=1, keepdims=True) * np.float32(0.5)
    expected = [soxr.resample(decoded(one), 22050, RATE), soxr.resample(mixed, 44100, RATE)]
    np.testing.assert_allclose(heard(one + two, channels=1)[0], np.concatenate(expected), atol=1e-6)
    assert "parts with 1 and 2 channels" in refused(one + two, channels=None)


def test_files_without_announcements_are_read_although_rate_and_channels_change():
    one, size = _plain()
    two, other = _plain(40000, 44100, channels=2, bitrate=0.3)
    samples, remarks = heard(one + two, 44100, channels=1)
    expected = len(one) // size * 576 * 44100 / RATE + len(two) // other * 1152
    assert abs(len(samples) - expected) < 2 * 1152
    assert not remarks


def test_frames_behind_the_announced_ones_are_read():
    announced, (plain, size) = _mp3(), _plain()
    samples, _ = heard(announced + plain)
    assert abs(len(samples) - 16000 - len(plain) // size * 576) <= 576
    np.testing.assert_allclose(samples[:16000], decoded(announced), atol=1e-6)


@pytest.mark.parametrize("tag", [b"ID3\x04\0\0\0\0\x01\x00" + bytes(128), b"TAG" + bytes(125)], ids=["ID3v2", "ID3v1"])
def test_tags_between_joined_files_are_left_out(tag):
    parts = [_mp3(16000), _mp3(8000, seed=1)]
    samples, remarks = heard(tag.join(parts))
    assert len(samples) == 24000
    assert not remarks


def test_a_part_that_was_cut_before_another_one_is_told():
    content = _mp3()
    message = refused(content[: len(content) // 2] + _mp3(8000))
    assert "cannot be read as MPEG frames" in message
    samples, remarks = heard(content[: len(content) // 2] + _mp3(8000), accept_truncated=True)
    assert 12000 < len(samples) < 24000
    assert remarks


def test_a_few_bytes_between_frames_are_read_with_a_remark_and_many_are_refused():
    content, size = _plain(200_000)
    middle = len(content) // size // 2 * size
    few = content[:middle] + bytes(range(100)) + content[middle:]
    samples, remarks = heard(few)
    assert abs(len(samples) - len(content) // size * 576) <= 576
    assert remarks == [f"100 bytes at byte {middle} cannot be read as MPEG frames"]
    many = content[:middle] + bytes(range(1, 200)) * 100 + content[middle:]
    assert f"19900 bytes at byte {middle} cannot be read as MPEG frames" in refused(many)
    assert abs(len(heard(many, accept_truncated=True)[0]) - len(samples)) <= 576


def test_less_than_a_hundredth_may_be_missing():
    content = _mp3(200_000)
    samples, remarks = heard(content[: len(content) - len(content) // 200])
    assert 198_000 < len(samples) < 200_000
    assert "that the first frame announces" in remarks[0]
    assert "that the first frame announces" in refused(content[: len(content) - len(content) // 50])


@needs_ffmpeg
@pytest.mark.parametrize(("name", "options"), [("x.mp2", []), ("x.mp3", []), ("x.mp3", ["-write_xing", "0"])])
def test_files_of_ffmpeg_are_read_as_a_whole_and_joined(tmp_path, name, options):
    (tmp_path / "clip.wav").write_bytes(written(noise(2 * RATE), format="WAV"))
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "clip.wav", *options, tmp_path / name], check=True)
    content = (tmp_path / name).read_bytes()
    whole, remarks = heard(content)
    np.testing.assert_allclose(whole, decoded(content), atol=1e-6)
    assert not remarks
    assert len(heard(content + content)[0]) == 2 * len(whole)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.faults) for seed in (1, 2))])
@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU"])
@pytest.mark.parametrize("front", [b"\xff\xff", b"\xff\xfb\x94\xc4" + bytes(90)], ids=["bytes", "part of a frame"])
def test_bytes_that_only_mpg123_takes_for_frames_are_refused(form, front, seed):
    n_samples = 30000 + int(np.random.default_rng(seed).integers(9000))
    content = written(noise(n_samples, 2, seed), 44100, format=form)
    assert "Could not decode" in (message := refused(front + content)) or "MPEG frames" in message
