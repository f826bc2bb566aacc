"""VOC files of any writer are heard up to their last block, and what is missing is told."""

import io
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from written import decoded, heard, noise, refused, written

HEAD = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x010A, 0x1129)


def _block(kind, content, size=None):
    return bytes([kind]) + (len(content) if size is None else size).to_bytes(3, "little") + content


def _voiced(samples, rate=16000, size=None):
    """Returns a block of type 9 with 16-bit samples `[time, channels]`."""
    return _block(9, struct.pack("<IBBHI", rate, 16, samples.shape[1], 4, 0) + samples.tobytes(), size)


def _integers(frames, channels=1, seed=0):
    return (noise(frames, channels, seed) * 32768).astype("<i2")


def _bytes(frames, seed=0):
    return np.random.default_rng(seed).integers(0, 256, frames, np.uint8)


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_of_one_format_are_read_as_one_clip(channels):
    parts = [_integers(frames, channels, seed) for seed, frames in enumerate((2048, 1, 5000))]
    samples, remarks = heard(HEAD + b"".join(map(_voiced, parts)) + b"\0")
    np.testing.assert_array_equal(samples, np.concatenate(parts) / np.float32(32768))
    assert not remarks


def test_blocks_of_bytes_and_their_continuations_are_read():
    parts = [_bytes(3000, seed) for seed in range(3)]
    first = _block(1, bytes([193, 0]) + parts[0].tobytes())  # 1,000,000 / (256 - 193) Hz
    text = _block(5, b"a remark\0")
    content = HEAD + first + text + _block(2, parts[1].tobytes()) + _block(2, parts[2].tobytes()) + b"\0"
    samples, remarks = heard(content, 1_000_000 // 63)
    np.testing.assert_array_equal(samples[:, 0], (np.concatenate(parts) - np.float32(128)) / 128)
    assert not remarks


def test_blocks_of_different_formats_are_converted_on_their_own():
    low, high = _integers(8000), _integers(16000, seed=1)
    samples, remarks = heard(HEAD + _voiced(low, 8000) + _voiced(high) + b"\0")
    assert len(samples) == 32000
    np.testing.assert_array_equal(samples[16000:], high / np.float32(32768))
    assert not remarks


def test_the_size_that_sox_gives_to_a_block_loses_nothing():
    values = _integers(5000)
    content = HEAD + _voiced(values, size=len(values) * 2 + 4) + b"\0"
    for file, count in [(content, 1), (content + content, 2)]:
        samples, remarks = heard(file)
        np.testing.assert_array_equal(samples, np.tile(values / np.float32(32768), (count, 1)))
        assert not remarks


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "ALAW", "ULAW"])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_libsndfile_have_its_samples(subtype, channels):
    content = written(noise(3000, channels), 22050, format="VOC", subtype=subtype)
    rate = soundfile.info(io.BytesIO(content)).samplerate
    samples, remarks = heard(content, rate)
    # libsndfile counts the last byte of the file as a sample.
    np.testing.assert_array_equal(samples, decoded(content)[:3000])
    assert not remarks


def test_what_is_missing_is_told():
    whole = HEAD + _voiced(_integers(8000)) + _voiced(_integers(8000)) + b"\0"
    assert "the block of sound has 6012 of 16012 bytes" in refused(whole[:-10_001])
    samples, _ = heard(whole[:-10_001], accept_truncated=True)
    assert len(samples) == 11000
    samples, remarks = heard(whole[:-1])
    assert len(samples) == 16000
    assert remarks == ["the block that ends VOC files is missing, so the end of the clip may be missing"]
    silent = HEAD + _voiced(_integers(8000)) + _block(3, b"\xff\x0f\xc1") + b"\0"
    assert "the file has blocks of silence, and 1 were not read" in refused(silent)


@pytest.mark.parametrize("program", ["ffmpeg", "sox"])
@pytest.mark.parametrize("codec", ["unsigned-integer", "signed-integer"])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_other_programs_are_read_as_wholes(program, codec, channels, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    soundfile.write(tmp_path / "a.wav", noise(10001, channels), 16000)
    bits = 8 if codec == "unsigned-integer" else 16
    if program == "sox":
        command = ["sox", "-D", tmp_path / "a.wav", "-b", str(bits), "-e", codec, tmp_path / "a.voc"]
    else:
        codec = {8: "pcm_u8", 16: "pcm_s16le"}[bits]
        command = ["ffmpeg", "-v", "quiet", "-i", tmp_path / "a.wav", "-c:a", codec, tmp_path / "a.voc"]
    subprocess.run(command, check=True)
    content = (tmp_path / "a.voc").read_bytes()
    rate = 1_000_000 // (256 - content[30]) if content[26] == 1 else 16000
    samples, remarks = heard(content, rate)
    expected = decoded((tmp_path / "a.wav").read_bytes())
    assert len(samples) == 10001
    np.testing.assert_allclose(samples, expected, atol=1 / (128 if bits == 8 else 32768))
    assert not remarks
