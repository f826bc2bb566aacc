"""The layout of a file shows what it lacks according to its container, and nothing of complete files."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.audio import layouts, opening

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
KINDS = [
    (format, subtype) for format in soundfile.available_formats() for subtype in soundfile.available_subtypes(format)
]


def _written(format, frames=1001, channels=1, rate=16000, **options):
    samples = 0.1 * np.random.default_rng(0).standard_normal((frames, channels))
    file = io.BytesIO()
    soundfile.write(file, samples.astype("float32"), rate, format=format, **options)
    return file.getvalue()


def _missing(source):
    """Returns the first thing that is known to be missing, or None."""
    with opening.opened(source) as file:
        parts = layouts.parts(file)
    found = [text for part in parts for text in (*(loss.text for loss in part.losses), *part.notes)]
    return found[0] if found else None


@pytest.mark.cases(60)
@pytest.mark.parametrize(("format", "subtype"), KINDS, ids=str)
def test_files_written_by_libsndfile_are_complete(tmp_path, monkeypatch, format, subtype):
    monkeypatch.chdir(tmp_path)  # libsndfile writes a second file next to an SD2 file
    rate = 48000 if subtype == "OPUS" else 44100
    for frames in (1, 2, 1001, 4999):
        for channels in (1, 2):
            try:
                content = _written(format, frames, channels, rate, subtype=subtype)
                soundfile.write("clip", np.zeros((frames, channels)), rate, format=format, subtype=subtype)
            except (soundfile.LibsndfileError, AssertionError):  # soundfile cannot write every format that it lists
                continue
            assert _missing(content) is None
            assert _missing("clip") is None


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.[wfmoa]*")), ids=lambda path: path.name)
def test_the_example_files_are_complete(path):
    assert _missing(path) is None


@pytest.mark.parametrize(
    ("format", "options", "size"),
    [
        ("WAV", {}, 2002),
        ("WAV", {"endian": "BIG"}, 2002),
        ("WAVEX", {}, 2002),
        ("RF64", {}, 2002),
        ("W64", {}, 2002),
        ("AIFF", {}, 2010),  # includes offset and block size
        ("AIFF", {"subtype": "FLOAT"}, 4012),
        ("AU", {}, 2002),
        ("AU", {"endian": "LITTLE"}, 2002),
        ("CAF", {}, 2006),  # includes the edit count
    ],
)
def test_a_data_chunk_must_be_as_long_as_its_header_says(format, options, size):
    content = _written(format, **options)
    # Some formats have a few bytes after the samples, so the cuts are relative to the first sample.
    begin = next(cut for cut in range(len(content)) if f" 1 of {size} " in str(_missing(content[:cut]))) - 1
    for there in (1, 2, 100, size - 45):
        assert _missing(content[: begin + there]) == f"the data chunk has {there} of {size} bytes"
    for surplus in (1, 36, 44):
        noun = "byte" if surplus == 1 else "bytes"
        expected = f"the header gives the data chunk {surplus} {noun} more than its {size - surplus}, as writers do"
        assert _missing(content[: begin + size - surplus]).startswith(expected)
    assert _missing(content[: begin + size]) is None


def _wav(claimed, size=1000):
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return header + struct.pack("<4sI", b"data", claimed) + bytes(size)


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFEFFC, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_placeholder_length_from_a_pipe_is_accepted(size):
    assert _missing(_wav(size)) is None
    assert _missing(b".snd" + struct.pack(">5I", 24, size, 3, 8000, 1) + bytes(100)) is None


@pytest.mark.parametrize("size", [1045, 2**20, 0x7F000000 - 10000, 0xEE000000])
def test_any_other_wrong_length_is_reported(size):
    assert _missing(_wav(size)) == f"the data chunk has 1000 of {size} bytes"


@pytest.mark.parametrize("size", [-1])
def test_an_unknown_length_in_caf_is_accepted(size):
    content = _written("CAF")
    at = content.index(b"data") + 4
    assert _missing(content[:at] + struct.pack(">q", size) + content[at + 8 :]) is None


def test_the_placeholder_length_of_sox_in_aiff_is_accepted():
    content = _written("AIFF")
    at = content.index(b"SSND") + 4
    for size in (0x7F000008, 0x7F000002):
        assert _missing(content[:at] + struct.pack(">I", size) + content[at + 4 :]) is None


def test_a_missing_pad_byte_is_accepted():
    content = _written("WAV", 1001, subtype="PCM_U8")
    assert len(content) == 44 + 1002
    assert _missing(content[:-1]) is None
    assert _missing(content[:-2]).startswith("the header gives the data chunk 1 byte more than its 1000")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_must_end_with_a_complete_end_of_stream_page(subtype):
    content = _written("OGG", 48000, subtype=subtype, rate=48000)
    last = content.rindex(b"OggS")
    for cut in (*range(last + 1, last + 30), len(content) - 1):
        assert _missing(content[:cut]) == "the last Ogg page is incomplete, so the end of the clip is missing"
    assert "lacks the end-of-stream flag" in _missing(content[:last])
    assert _missing(content + content) is None
    assert _missing(content + content[:1000]) is not None
    assert _missing(content + b"TAG" + bytes(125)) is None


def _without_info():
    """Returns an MP3 file of frames of 360 bytes each, without the first one, which announces their bytes."""
    content = _written("MP3", 20000, bitrate_mode="CONSTANT", compression_level=0.5)
    assert {content[at : at + 2] for at in range(0, len(content), 360)} == {content[:2]}
    return content[360:], 360


def test_mp3_must_have_as_many_bytes_as_its_first_frame_announces():
    content = _written("MP3", 16000)
    assert _missing(content) is None
    for cut in range(len(content) // 2, len(content), 7):
        announced = f"the frames have {cut} of the {len(content)} bytes that the first frame announces"
        counted = re.fullmatch(
            r"the frames are (\d+) of the (\d+) that the first frame announces", _missing(content[:cut])
        )
        assert counted or _missing(content[:cut]) == announced
    tagged = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + content
    assert _missing(tagged) is None
    assert _missing(tagged[:-1]) is not None
    assert _missing(tagged[:100]) == "the file ends 38 bytes before the end of its ID3 tag"


def test_mp3_without_an_announced_size_must_end_with_a_complete_frame():
    content, size = _without_info()
    assert len(content) > 30 * size
    for cut in range(len(content) - 12 * size, len(content)):
        lacking = _missing(content[:cut])
        if cut % size == 0:
            assert lacking is None  # a file cut here looks like a complete one
        elif cut % size < 4:
            assert lacking == "the header of the last frame is incomplete"
        else:
            assert lacking == f"the last frame has {cut % size} of {size} bytes"


@pytest.mark.parametrize(
    "tag",
    [
        b"TAG" + bytes(125),
        b"APETAGEX" + struct.pack("<4I", 2000, 20032, 1, 0xA0000000) + bytes(8 + 20000)
        + b"APETAGEX" + struct.pack("<4I", 2000, 20032, 1, 0x80000000) + bytes(8),
        b"LYRICSBEGIN" + bytes(9) + b"000020LYRICS200" + b"TAG" + bytes(125),
        bytes(100),
    ],
    ids=["ID3v1", "APE", "Lyrics3 and ID3v1", "zeros"],
)  # fmt: skip
def test_tags_after_the_frames_of_an_mp3_file_do_not_count_as_frames(tag):
    content, size = _without_info()
    assert _missing(content + tag) == (None if tag[0] else "100 zero bytes behind the samples were not read")
    if tag[0]:
        assert _missing(content[: -size // 2] + tag) == f"the last frame has {size - -(-size // 2)} of {size} bytes"


class _Counting(io.BytesIO):
    taken = calls = 0

    def read(self, size=-1):
        content = super().read(size)
        self.taken, self.calls = self.taken + len(content), self.calls + 1
        return content


@pytest.mark.parametrize(
    "content",
    [
        _wav(0xEE000000, 10**6),
        b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 10**5,
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(10**6),
    ],
    ids=["data", "chunks", "tag"],
)
def test_only_a_small_part_is_read_of_files_of_chunks(content):
    file = _Counting(content)
    _missing(file)
    assert file.taken < 100_000
    assert file.calls < 1100


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    "content",
    [
        b"OggS" + bytes(3 * 10**6),
        b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\xc4" * 10**6,
        b"\xff" * 3 * 10**6,
        b"fLaC\0\0\0\x22" + b"\xff\xf8" * 10**5,
        b"OggS\0" * 10**6,
        b"caff\0\1\0\0data" + bytes(10**6),
    ],
    ids=["pages", "headers", "bytes", "frames", "magic", "unknown size"],
)
def test_other_files_are_read_a_few_times_at_most(content):
    file = _Counting(content)
    _missing(file)
    assert file.taken < 8 * len(content)
    assert file.calls < 1100


@given(
    st.sampled_from([b"", b"RIFF", b"RF64", b"FORM", b"riff", b"caff", b".snd", b"OggS", b"\xff\xfb", b"ID3"]),
    st.binary(),
)
def test_arbitrary_bytes_raise_no_error(start, rest):
    assert isinstance(_missing(start + rest), (str, type(None)))


def test_a_container_may_begin_in_the_middle_of_an_open_file():
    file = io.BytesIO(b"before" + _wav(2000))
    file.seek(6)
    assert _missing(file) == "the data chunk has 1000 of 2000 bytes"
