"""FLAC files are heard up to their last frame, whatever their headers say, and what is missing is told."""

import struct

import numpy as np
import pytest
from written import decoded, heard, noise, refused, written


def _flac(frames, seed=0, channels=1):
    return written(noise(frames, channels, seed), format="FLAC")


def _with_total(content, total):
    packed = struct.unpack(">Q", content[18:26])[0]
    return content[:18] + struct.pack(">Q", packed >> 36 << 36 | total) + content[26:]


@pytest.mark.parametrize("sizes", [(20000, 20000), (20000, 300), (300, 300, 300), (4096, 8192), (100, 60000)])
def test_joined_files_are_read_one_by_one(sizes):
    parts = [_flac(size, seed) for seed, size in enumerate(sizes)]
    samples, remarks = heard(b"".join(parts))
    np.testing.assert_array_equal(samples, np.concatenate([decoded(part) for part in parts]))
    assert not remarks


@pytest.mark.parametrize("form", ["WAV", "OGG", "AIFF", "CAF"])
@pytest.mark.parametrize("frames", [200, 30000])
def test_a_file_of_another_format_behind_it_is_read(form, frames):
    parts = [_flac(20000), written(noise(frames, seed=1), format=form)]
    samples, _ = heard(b"".join(parts))
    np.testing.assert_array_equal(samples, np.concatenate([decoded(part) for part in parts]))


@pytest.mark.parametrize("total", [0, 1, 4096, 19999])
def test_a_header_with_too_few_samples_or_none_loses_nothing(total):
    content = _flac(20000)
    samples, remarks = heard(_with_total(content, total))
    np.testing.assert_array_equal(samples, decoded(content))
    note = f"the header says {total} samples, but the file has 20000, and all of them were read"
    assert remarks == ([note] if total else [])


@pytest.mark.parametrize(("total", "is_read"), [(20001, True), (20199, True), (20300, False), (2**36 - 1, False)])
def test_a_header_with_too_many_samples_is_read_within_the_tolerance(total, is_read):
    content = _with_total(_flac(20000), total)
    if is_read:
        samples, remarks = heard(content)
        assert len(samples) == 20000
        assert remarks == [f"20000 of {total} samples could be decoded"]
    else:
        assert f"20000 of {total} samples could be decoded" in refused(content)


def test_a_truncated_file_is_read_up_to_the_last_complete_frame():
    content = _flac(1_000_000)
    expected = decoded(content)
    samples, remarks = heard(content[:-1000])
    assert len(samples) == 1_000_000 // 4096 * 4096
    np.testing.assert_array_equal(samples, expected[: len(samples)])
    assert "999424 of 1000000 samples could be decoded" in remarks[0]
    assert "samples could be decoded" in refused(content[: len(content) // 2])
    samples, remarks = heard(content[: len(content) // 2], accept_truncated=True)
    assert len(samples) % 4096 == 0
    np.testing.assert_array_equal(samples, expected[: len(samples)])
    assert len(remarks) == 1


def test_a_whole_file_behind_a_cut_one_is_read_if_that_is_accepted():
    content = _flac(20000)
    joined = content[: len(content) // 2] + content
    assert "of 20000 samples could be decoded" in refused(joined)
    samples, remarks = heard(joined, accept_truncated=True)
    assert len(samples) == 8192 + 20000
    np.testing.assert_array_equal(samples[8192:], decoded(content))
    assert len(remarks) == 1


def test_damage_in_the_middle_is_told():
    content = bytearray(_flac(100_000))
    content[len(content) // 2] ^= 255
    assert "of 100000 samples could be decoded" in refused(bytes(content))
    samples, _ = heard(bytes(content), accept_truncated=True)
    np.testing.assert_array_equal(samples, decoded(_flac(100_000))[: len(samples)])
    assert 40_000 < len(samples) < 60_000


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), bytes(100), b"xyz" * 100])
def test_a_few_bytes_behind_the_last_frame_lose_nothing(behind):
    content = _flac(20000)
    np.testing.assert_array_equal(heard(content + behind)[0], decoded(content))


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_files_of_all_shapes_are_read_without_a_remark(channels):
    for frames in (1, 15, 16, 4095, 4096, 4097, 30000):
        content = _flac(frames, channels=channels)
        samples, remarks = heard(content)
        np.testing.assert_array_equal(samples, decoded(content))
        assert not remarks


@pytest.mark.parametrize("frames", [3000, 60000])
@pytest.mark.parametrize("size", [5000, 100_000])
def test_mp3_behind_it_or_between_two_files_is_read(frames, size):
    first, second = _flac(size), _flac(size, seed=1)
    mp3 = written(noise(frames, seed=2), format="MP3")
    for content in (first + mp3, first + mp3 + second, first + b"TAG" + bytes(125) + mp3 + second):
        samples, remarks = heard(content)
        expected = [decoded(first), decoded(mp3), decoded(second)][: 3 if second in content else 2]
        np.testing.assert_allclose(samples, np.concatenate(expected), atol=1e-6)
        assert not remarks


@pytest.mark.parametrize("gap", [100, 3000, 50_000])
@pytest.mark.parametrize("size", [5000, 100_000])
@pytest.mark.parametrize("filling", [b"\0", b"\xaa"])
def test_bytes_between_two_files_are_told(gap, size, filling):
    content = _flac(size) + filling * gap + _flac(size, seed=1)
    text = f"{gap} bytes behind the last FLAC frame belong to nothing"
    if gap > 100:
        assert text in refused(content)
    samples, remarks = heard(content, accept_truncated=True)
    assert len(samples) == 2 * size
    assert [remark.removeprefix("part 1 of 2: ") for remark in remarks] == [text]


def test_mp3_behind_it_that_does_not_begin_at_its_end_is_told():
    mp3 = written(noise(3000), format="MP3")
    assert f"{len(mp3) + 3} bytes behind the last FLAC frame belong to nothing" in refused(_flac(5000) + b"abc" + mp3)
