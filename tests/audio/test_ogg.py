"""All streams of Ogg files are heard, and missing pages are told."""

import shutil
import subprocess

import numpy as np
import pytest
import soxr
from ogg_pages import pages, with_checksum
from written import RATE, decoded, heard, noise, refused, written

SUBTYPES = ["VORBIS", "OPUS"]
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def _ogg(seconds, subtype="VORBIS", rate=48000, channels=1, seed=0):
    return written(noise(int(seconds * rate), channels, seed), rate, format="OGG", subtype=subtype)


def _with_serial(content, serial):
    changed = [content[begin : begin + 14] + serial + content[begin + 18 : end] for begin, end in pages(content)]
    return b"".join(map(with_checksum, changed))


def _encoded(tmp_path, name, *options):
    """Returns the bytes of a file that ffmpeg made from one second of noise, and its samples."""
    (tmp_path / "clip.wav").write_bytes(written(noise(RATE), format="WAV"))
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "clip.wav", *options, tmp_path / name]
    subprocess.run(command, check=True)
    return (tmp_path / name).read_bytes(), decoded((tmp_path / "clip.wav").read_bytes())


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("serials", ["differ", "equal"])
def test_chained_streams_are_read_one_after_another(subtype, serials):
    parts = [_ogg(seconds, subtype, seed=number) for number, seconds in enumerate((1.0, 2.0, 1.0))]
    if serials == "equal":
        parts = [_with_serial(part, b"abcd") for part in parts]
    samples, remarks = heard(b"".join(parts), 48000)
    np.testing.assert_array_equal(samples, np.concatenate([decoded(part) for part in parts]))
    assert not remarks


def test_chained_streams_of_other_rates_and_channels_are_converted_on_their_own():
    one, two = _ogg(1, rate=44100), _ogg(1, "OPUS", channels=2, seed=1)
    samples, _ = heard(one + two, RATE, channels=1)
    mixed = decoded(two).sum(axis=1, keepdims=True) * np.float32(0.5)
    expected = [soxr.resample(decoded(one), 44100, RATE), soxr.resample(mixed, 48000, RATE)]
    np.testing.assert_allclose(samples, np.concatenate(expected), atol=1e-7)
    assert "parts with 1 and 2 channels" in refused(one + two, RATE, channels=None)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_stream_without_its_last_flag_is_read_with_a_remark(subtype):
    content = _ogg(5, subtype)
    *others, (begin, end) = pages(content)
    assert len(others) > 2
    last = bytearray(content[begin:end])
    last[5] &= ~4
    samples, remarks = heard(content[:begin] + with_checksum(bytes(last)), 48000)
    np.testing.assert_array_equal(samples[:200000], decoded(content)[:200000])
    assert remarks[0] == "the last Ogg page lacks the end-of-stream flag, so the end of the clip may be missing"


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_stream_that_was_cut_is_read_up_to_its_last_complete_page(subtype):
    content = _ogg(5, subtype)
    begin, end = pages(content)[-1]
    expected, _ = heard(content[:begin], 48000)
    assert 100_000 < len(expected) < 240_000
    np.testing.assert_array_equal(expected[:100_000], decoded(content)[:100_000])
    for cut in (begin + 1, begin + 20, begin + 100, end - 1):
        samples, remarks = heard(content[:cut], 48000)
        np.testing.assert_array_equal(samples, expected)
        assert remarks == ["the last Ogg page is incomplete, so the end of the clip is missing"]


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_missing_page_is_told(subtype):
    content = _ogg(5, subtype)
    begin, end = pages(content)[-2]
    message = refused(content[:begin] + content[end:], 48000)
    assert "of 240000 samples could be decoded" in message
    assert (
        "the numbers of Ogg pages have 1 gap" in heard(content[:begin] + content[end:], 48000, accept_truncated=True)[1]
    )


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_page_with_a_wrong_checksum_is_told(subtype):
    content = bytearray(_ogg(5, subtype))
    content[pages(content)[-2][0] + 1000] ^= 1
    assert "of 240000 samples could be decoded" in refused(bytes(content), 48000)


def test_pages_in_another_order_are_told():
    content = _ogg(5, "OPUS")
    (a, b), (_, c) = pages(content)[2:4]
    assert "out of order" in refused(content[:a] + content[b:c] + content[a:b] + content[c:], 48000)


def test_a_repeated_page_is_told():
    content = _ogg(5, "OPUS")
    begin, end = pages(content)[2]
    assert "out of order or repeated" in refused(content[:end] + content[begin:], 48000)


@needs_ffmpeg
@pytest.mark.parametrize("copies", [1, 2])
def test_flac_in_ogg_is_read(tmp_path, copies):
    content, expected = _encoded(tmp_path, "clip.oga", "-c:a", "flac", "-f", "ogg")
    samples, remarks = heard(content * copies)
    np.testing.assert_array_equal(samples, np.concatenate([expected] * copies))
    assert not remarks


@needs_ffmpeg
def test_flac_in_ogg_that_was_cut_is_read_up_to_its_last_complete_page(tmp_path):
    content, expected = _encoded(tmp_path, "clip.oga", "-c:a", "flac", "-f", "ogg", "-page_duration", "100000")
    samples, remarks = heard(content[:-100])
    assert 0.8 * RATE < len(samples) < RATE
    np.testing.assert_array_equal(samples, expected[: len(samples)])
    assert remarks == ["the last Ogg page is incomplete, so the end of the clip is missing"]


@needs_ffmpeg
def test_streams_side_by_side_are_told(tmp_path):
    name = tmp_path / "clip.wav"
    content, _ = _encoded(tmp_path, "two.ogg", "-i", name, "-map", "0", "-map", "1", "-c:a", "libvorbis")
    assert "2 streams side by side, and only the first was read" in refused(content)
    assert len(heard(content, accept_truncated=True)[0]) == RATE


@needs_ffmpeg
def test_a_gap_in_flac_in_ogg_is_told_although_silence_fills_it(tmp_path):
    content, _ = _encoded(tmp_path, "clip.ogg", "-c:a", "flac", "-page_duration", "100000")
    found = [content[begin:end] for begin, end in pages(content)]
    assert len(found) > 7
    torn = b"".join(found[:5] + found[6:])
    assert "the numbers of Ogg pages have 1 gap, which is silent" in refused(torn)
    assert "the numbers of Ogg pages have 1 gap, which is silent" in heard(torn, accept_truncated=True)[1]


def test_a_damaged_position_of_the_first_page_hides_no_loss():
    content = _ogg(5, "OPUS")
    begin = pages(content)[2][0]
    damaged = content[: begin + 6] + (4 * 48000).to_bytes(8, "little") + content[begin + 14 :]
    assert "samples could be decoded" in refused(damaged, 48000)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_file_without_its_first_page_is_named(subtype):
    content = _ogg(1, subtype)
    assert "the first page of the Ogg file is missing" in refused(content[pages(content)[1][0] :])


@needs_ffmpeg
def test_flac_in_ogg_may_be_cut_anywhere_in_its_headers(tmp_path):
    content, _ = _encoded(tmp_path, "clip.ogg", "-c:a", "flac")
    for size in range(28, 400):
        assert refused(content[:size])
