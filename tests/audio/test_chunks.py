"""Files of chunks are read as far as they hold samples, and what their headers say wrong is told."""

import struct

import numpy as np
import pytest
import soundfile
from written import RATE, decoded, heard, noise, refused, written

from audiopipe import audio
from audiopipe.audio import layouts, opening
from audiopipe.audio.decoding import SequentialSoundFile

# Format, position of the size of the samples behind their name, and its form.
SIZED = {
    "WAV": (b"data", 4, "<I"),
    "W64": (b"data\xf3\xac", 16, "<q"),
    "AIFF": (b"SSND", 4, ">I"),
    "CAF": (b"data\0\0\0", 4, ">q"),
    "AU": (b".snd", 8, ">I"),
    "RF64": (b"ds64", 16, "<q"),
}


def _resized(content, form, change):
    """Changes the size of the samples by a number of bytes."""
    name, offset, code = SIZED[form]
    at = content.index(name) + offset
    width = struct.calcsize(code)
    size = struct.unpack(code, content[at : at + width])[0] + change
    return content[:at] + struct.pack(code, size) + content[at + width :]


def _wav(content, size):
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


@pytest.mark.parametrize("form", SIZED)
def test_a_header_that_promises_less_than_the_file_holds_is_refused(form):
    content = written(noise(16000), format=form)
    message = refused(_resized(content, form, -16000))
    assert "16000 bytes follow behind the" in message
    samples, remarks = heard(_resized(content, form, -16000), accept_truncated=True)
    np.testing.assert_array_equal(samples, decoded(content)[:8000])
    assert len(remarks) == 1


@pytest.mark.parametrize("form", SIZED)
@pytest.mark.parametrize("surplus", [1, 16, 36, 44])
def test_a_size_that_counts_the_header_is_read_with_a_remark(form, surplus):
    content = written(noise(300), format=form)
    samples, remarks = heard(_resized(content, form, surplus))
    np.testing.assert_array_equal(samples, decoded(content))
    assert "as writers do that count headers" in remarks[0]


@pytest.mark.parametrize("form", SIZED)
@pytest.mark.parametrize(
    ("frames", "lacking", "is_read"),
    [(16000, 300, True), (16000, 318, True), (16000, 350, False), (160000, 3000, True), (160000, 3300, False)],
)
def test_less_than_a_hundredth_may_be_missing(form, frames, lacking, is_read):
    content = written(noise(frames), format=form)
    if not is_read:
        assert " bytes. Download or record it again" in refused(content[:-lacking])
    samples, remarks = heard(content[:-lacking], accept_truncated=not is_read)
    np.testing.assert_array_equal(samples, decoded(content)[: len(samples)])
    assert frames - len(samples) == lacking // 2
    assert len(remarks) == 1


def test_less_than_a_second_may_be_missing():
    content = written(noise(150 * 8000), 8000, format="WAV", subtype="PCM_U8")
    assert heard(content[:-7999], 8000)[1] == ["the data chunk has 1192001 of 1200000 bytes"]
    assert "the data chunk has 1192000 of 1200000 bytes" in refused(content[:-8000], 8000)


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0abcd"])
def test_a_size_of_zero_with_samples_behind_it_is_unknown(behind):
    content = _wav(written(noise(16000), format="WAV"), 0)
    samples, remarks = heard(content + behind)
    np.testing.assert_array_equal(samples[:16000], decoded(_wav(content, 32000)))
    assert remarks == [
        f"the header says that there are no samples, and the {32000 + len(behind)} bytes behind it were read as samples"
    ]


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0abcd", b"LIST\x04\0\0\0abcdid3 \x02\0\0\0ab"])
def test_a_size_of_zero_with_nothing_but_chunks_behind_it_is_true(behind):
    assert "has no samples" in refused(_wav(written(noise(1), format="WAV")[:-2], 0) + behind)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_joined_files_of_unknown_size_are_read_one_by_one(size):
    first, second = written(noise(3000), format="WAV"), written(noise(2000, seed=1), format="WAV")
    samples, _ = heard(_wav(first, size) + _wav(second, size))
    np.testing.assert_array_equal(samples, np.concatenate([decoded(first), decoded(second)]))


@pytest.mark.parametrize("form", [*SIZED, "NIST", "VOC"])
def test_joined_files_are_read_one_by_one(form):
    parts = [written(noise(frames, seed=frames), format=form) for frames in (3000, 3000, 2000)]
    samples, remarks = heard(b"".join(parts))
    np.testing.assert_array_equal(samples, np.concatenate([decoded(part) for part in parts]))
    assert not remarks


@pytest.mark.parametrize(
    ("form", "chunk"),
    [
        ("W64", b"list\x2f\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00" + struct.pack("<q", 32) + bytes(8)),
        ("SVX", b"ANNO\0\0\0\4abcd"),
        ("AIFF", b"ANNO\0\0\0\4abcd"),
        ("CAF", b"info\0\0\0\0\0\0\0\4abcd"),
    ],
)
def test_chunks_behind_the_samples_are_not_heard(form, chunk):
    content = written(noise(3000), format=form)
    samples, remarks = heard(content + chunk)
    np.testing.assert_array_equal(samples, decoded(content))
    assert not remarks


def test_a_second_chunk_of_samples_is_told():
    content = written(noise(3000), format="WAV")
    assert "2 chunks of samples, and only the first was read" in refused(
        content + b"data" + struct.pack("<I", 200) + bytes(200)
    )


@pytest.mark.parametrize(
    ("behind", "remarks"),
    [
        (b"LIST\x04\0\0\0abcd", []),
        (b"LIST\x04\0\0\0abcdTAG" + bytes(125), []),
        (bytes(500), ["500 zero bytes behind the samples were not read"]),
    ],
)
def test_metadata_and_zeros_behind_the_samples_lose_nothing(behind, remarks):
    content = written(noise(3000), format="WAV")
    samples, found = heard(content + behind)
    np.testing.assert_array_equal(samples, decoded(content))
    assert found == remarks


@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU"])
def test_sizes_that_wrapped_at_4_gib_are_read_as_a_whole(tmp_path, form):
    head = written(noise(0), format=form)
    total = (1 << 32) + 20_000_002
    path = tmp_path / "long"
    with path.open("wb") as file:
        content = head if form != "AU" else head[:24]
        file.write(content)
        begin = len(content)
        file.seek(begin + total - 4)
        file.write(b"\x11\x22\x33\x44")
        name, offset, code = SIZED[form]
        extra = 8 if form == "AIFF" else 0  # offset and block size
        size = struct.pack(code, (total + extra) % (1 << 32))
        file.seek(content.index(name) + offset)
        file.write(size)
    with opening.opened(path) as file:
        (part,) = layouts.parts(file)
        with soundfile.SoundFile(file.handle(part.pieces), closefd=False) as sound:
            assert sound.frames == total // 2
            assert sound.samplerate == RATE
            sound.seek(sound.frames - 2)
            expected = [0x1122, 0x3344] if form != "WAV" else [0x2211, 0x4433]
            assert sound.read(dtype="int16").tolist() == expected
    assert "wrapped at 4 GiB" in part.notes[0]
    assert not part.losses


def test_the_first_samples_of_a_wrapped_file_are_read(tmp_path):
    head = written(noise(3000), format="WAV")
    path = tmp_path / "long.wav"
    path.write_bytes(_wav(head, 20_000))
    with path.open("r+b") as file:
        file.truncate(44 + (1 << 32) + 20_000)
    with opening.opened(path) as file:
        (part,) = layouts.parts(file)
        with SequentialSoundFile(file.handle(part.pieces), closefd=False) as sound:
            np.testing.assert_array_equal(sound.read(3000, dtype="float32", always_2d=True), decoded(head))


def test_headers_without_any_size_are_those_of_whole_files():
    whole = written(noise(3000), format="AIFF")
    place = whole.index(b"SSND")
    content = whole[:4] + bytes(4) + whole[8 : place + 4] + bytes(4) + whole[place + 8 :]
    samples, remarks = heard(content)
    np.testing.assert_array_equal(samples, decoded(whole))
    assert not remarks
    whole = written(noise(3000), format="RF64")
    samples, remarks = heard(whole[:20] + bytes(24) + whole[44:])
    np.testing.assert_array_equal(samples, decoded(whole))
    assert not remarks


def test_samples_that_the_header_of_aiff_skips_are_told():
    content = written(noise(3000), format="AIFF")
    place = content.index(b"SSND") + 8
    skips = content[:place] + (2000).to_bytes(4, "big") + content[place + 4 :]
    assert "2000 of 3000 samples could be decoded" in refused(skips)


@pytest.mark.parametrize("size", [32000, 0, 0xFFFFFFFF])
def test_the_duration_counts_joined_files_and_samples_of_unknown_size(size):
    content = _wav(written(noise(16000), format="WAV"), size) + written(noise(8000), format="WAV")
    assert audio.duration(content) == len(heard(content)[0]) / 16000 == 1.5


@pytest.mark.parametrize("form", ["IRCAM", "PVF", "PAF"])
def test_a_file_behind_one_whose_header_gives_no_length_is_read(form):
    parts = [written(noise(3000), format=form, subtype="PCM_16"), written(noise(2000, seed=1), format="OGG")]
    samples, remarks = heard(b"".join(parts))
    np.testing.assert_array_equal(samples, np.concatenate([decoded(part) for part in parts]))
    assert not remarks
