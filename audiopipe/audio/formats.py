"""Names of formats that libsndfile cannot read, and what to do about them.

libsndfile's own messages hide the cause: an MP4 file under the name `.mp3` "does not exist", Speex is an "internal
error". The first bytes of a file tell what it is.
"""

import struct

from audiopipe.audio import ogg, tags, wave
from audiopipe.audio.opening import Opened
from audiopipe.wording import noun_of

EDGE = 1 << 16  # where the names of codecs are looked for: an index may stand at either end
TEXT = 1024
SMALLEST = 12  # bytes of the shortest header of a container

# Formats that libsndfile reads, but audiopipe does not.
REFUSED = {
    "RAW": "samples without a header",
    "MAT4": "a MATLAB file",
    "MAT5": "a MATLAB file",
    "SD2": "a Sound Designer file, whose header is in another file",
    "SDS": "a MIDI sample dump",
    "XI": "an instrument of FastTracker",
}

_CODECS = {
    b"mp4a": "AAC",
    b"alac": "ALAC",
    b"Opus": "Opus",
    b"fLaC": "FLAC",
    b"ac-3": "AC-3",
    b"ec-3": "E-AC-3",
    b"samr": "AMR",
    b"sawb": "AMR-WB",
    b".mp3": "MP3",
    b"sowt": "PCM",
    b"twos": "PCM",
    b"lpcm": "PCM",
}
_MATROSKA = {b"A_OPUS": "Opus", b"A_VORBIS": "Vorbis", b"A_AAC": "AAC", b"A_FLAC": "FLAC", b"A_PCM": "PCM"}
_MATROSKA |= {b"A_MPEG/L3": "MP3", b"A_AC3": "AC-3"}
_WAVE = {0x50: "MPEG", 0x55: "MP3", 0xFF: "AAC", 0x160: "WMA", 0x161: "WMA", 0x162: "WMA", 0x163: "WMA"}
_WAVE |= {0x22: "TrueSpeech", 0x42: "G.723", 0x83: "G.729", 0x2000: "AC-3", 0x2001: "DTS", 0x674F: "Vorbis"}
_WAVE |= {0x1610: "AAC", 0x706D: "AAC", 0xF1AC: "FLAC", 0xA106: "AAC"}

# First bytes, name, and usual extension.
_AUDIO = (
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF audio (WMA)", "wma"),
    (b"#!AMR-WB", "AMR-WB audio", "amr"),
    (b"#!AMR", "AMR audio", "amr"),
    (b"ADIF", "AAC audio (ADIF)", "aac"),
    (b"\x0b\x77", "AC-3 audio", "ac3"),
    (b"\x7f\xfe\x80\x01", "DTS audio", "dts"),
    (b"DSD ", "DSD audio (DSF)", "dsf"),
    (b"FRM8", "DSD audio (DSDIFF)", "dff"),
    (b"wvpk", "WavPack audio", "wv"),
    (b"MAC ", "Monkey's Audio", "ape"),
    (b"TTA", "TTA audio", "tta"),
    (b"MPCK", "Musepack audio", "mpc"),
    (b"MP+", "Musepack audio", "mpc"),
    (b"OFR ", "OptimFROG audio", "ofr"),
    (b"ajkg", "Shorten audio", "shn"),
    (b".RMF", "RealMedia audio", "rm"),
    (b".ra\xfd", "RealAudio", "ra"),
    (b"FLV\x01", "Flash video", "flv"),
    (b"\0\0\x01\xba", "MPEG video", "mpg"),
    (b"\0\0\x01\xb3", "MPEG video", "mpg"),
    (b".SoX", "audio in SoX's own format", "sox"),
    (b"XoS.", "audio in SoX's own format", "sox"),
    (b"MThd", "MIDI, which holds notes and no sound", ""),
)
_OTHER = (
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself. Get the file: git lfs pull"),
    (b"\x1f\x8b", "gzip data. Unpack it: gunzip"),
    (b"PK\x03\x04", "a ZIP archive. Unpack it: unzip"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"BZh", "bzip2 data. Unpack it: bunzip2"),
    (b"\xfd7zXZ\0", "xz data. Unpack it: unxz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data. Unpack it: unzstd"),
    (b"7z\xbc\xaf", "a 7z archive. Unpack it"),
    (b"Rar!", "a RAR archive. Unpack it"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array. Pass its samples instead"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"MATLAB 5.0", "a MATLAB file. Write its samples to a WAV file"),
)


def refusal(name: str, form: str) -> str:
    """Returns the message about a format that libsndfile reads, but audiopipe does not."""
    return (
        f"Could not decode {name} as audio: it looks like {REFUSED[form]}, which does not tell whether it is whole. "
        "Write its samples to a WAV or FLAC file."
    )


def found(file: Opened) -> str | None:
    """Returns what a file is that libsndfile cannot read, and what to do.

    Returns:
        A sentence such as `"MP4 audio (AAC), which libsndfile cannot read. Convert it: ffmpeg -i x.m4a x.flac"`. None
        if the format is unknown, or if libsndfile should be able to read it.
    """
    if file.size == 0:
        return "the file is empty. Download or record it again."
    if file.size < SMALLEST:
        return f"the file has only {file.size} {noun_of(file.size, 'byte')}. Download or record it again."
    start = min(tags.behind(file, 0), file.size)
    head = file.at(start, TEXT)
    if head[:4] == b"OggS" and len(head) > 5 and not head[5] & ogg.FIRST:
        return "the first page of the Ogg file is missing, without which nothing can be decoded. Download it again."
    named = _media(file, start, head)
    if named is not None:
        name, extension = named
        way = f"Convert it: ffmpeg -i x.{extension} x.flac" if extension else "Leave it out."
        return f"{name}, which libsndfile cannot read. {way}"
    for first, name in _OTHER:
        if head.startswith(first):
            return f"it is {name}."
    if head[257:262] == b"ustar":
        return "it is a tar archive. Unpack it: tar -xf"
    text = _text(head)
    if text is not None:
        return f"it is {text} instead of audio: {head[:40].decode('utf-8', 'replace')!r}. Download it again."
    if _is_zero(file):
        return f"all of its {file.size} bytes are zero. Download or record it again."
    return None


def _media(file: Opened, start: int, head: bytes) -> tuple[str, str] | None:
    """Returns the name of an audio or video format, and its extension, or None."""
    if head[:4] == b"OggS":
        return _ogg(file, start)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot"):
        return _mp4(file, head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        webm = b"webm" in head[:64]
        return f"{'WebM' if webm else 'Matroska'}{_codec(file, _MATROSKA)}", "webm" if webm else "mka"
    if head[:4] == b"RIFF":
        return _riff(head)
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC audio (ADTS)", "aac"
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "an MPEG transport stream", "ts"
    for first, name, extension in _AUDIO:
        if head.startswith(first):
            return name, extension
    return None


def _ogg(file: Opened, start: int) -> tuple[str, str] | None:
    head = file.at(start, 4096)
    body = 27 + head[26] if len(head) > 26 else 0
    codec = next((name for first, name in ogg.NAMES.items() if head[body:].startswith(first)), "an unknown codec")
    return None if codec in ogg.READABLE else (f"Ogg with {codec}", "spx" if codec == "Speex" else "ogg")


def _mp4(file: Opened, head: bytes) -> tuple[str, str]:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    codec = _codec(file, _CODECS)
    if brand[:2] == b"3g":
        return f"3GP audio{codec}", "3gp"
    if brand in (b"qt  ", b""):
        return f"QuickTime audio{codec}", "mov"
    return f"MP4 audio{codec}", "m4a"


def _codec(file: Opened, names: dict[bytes, str]) -> str:
    """Returns the name of the codec in parentheses, or an empty text."""
    content = file.at(0, EDGE) + file.at(max(0, file.size - EDGE), EDGE)
    return next((f" ({name})" for mark, name in names.items() if mark in content), "")


def _riff(head: bytes) -> tuple[str, str] | None:
    kind = head[8:12]
    if kind == b"AVI ":
        return "AVI video", "avi"
    if kind in (b"RMID", b"sfbk"):
        return "MIDI, which holds notes and no sound", ""
    at = head.find(b"fmt ")
    if kind == b"WAVE" and 0 < at <= len(head) - 10:
        tag = struct.unpack("<H", head[at + 8 : at + 10])[0]
        if tag in _WAVE:
            return f"WAV with {_WAVE[tag]}", "wav"
        if tag not in wave.FIXED:
            return f"WAV with codec {tag:#06x}", "wav"
    return None


def _text(head: bytes) -> str | None:
    """Returns the kind of text that a file begins with, or None if it is no text."""
    try:
        text = head.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return None
        text = head[: error.start].decode("utf-8-sig").lstrip()
    if not text or any(letter < " " and letter not in "\t\r\n\f\x1b" for letter in text):
        return None
    lower = text[:100].lower()
    if lower.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "an HTML page"
    if lower.startswith("<"):
        return "XML"
    if lower.startswith(("#extm3u", "[playlist]")):
        return "a playlist"
    return "JSON" if lower.startswith(("{", "[")) else "text"


def _is_zero(file: Opened) -> bool:
    return all(not file.at(position, 1 << 20).strip(b"\0") for position in range(0, file.size, 1 << 20))
