"""Audio files that were cut, joined, reordered or given wrong sizes, with what was written into them."""

import dataclasses
import functools
import io
import re
import struct

import numpy as np
import soundfile
from ogg_pages import pages, with_checksum

RATE = 16000

# Format, subtype, and samples of a frame of the codec.
KINDS = (
    ("WAV", "PCM_16", 1),
    ("WAV", "PCM_24", 1),
    ("WAV", "FLOAT", 1),
    ("WAV", "ALAW", 1),
    ("WAV", "IMA_ADPCM", 1017),
    ("WAVEX", "PCM_16", 1),
    ("RF64", "PCM_16", 1),
    ("W64", "PCM_16", 1),
    ("AIFF", "PCM_16", 1),
    ("AIFF", "FLOAT", 1),
    ("AU", "PCM_16", 1),
    ("AU", "ULAW", 1),
    ("CAF", "PCM_16", 1),
    ("CAF", "ALAC_16", 4096),
    ("FLAC", "PCM_16", 4096),
    ("OGG", "VORBIS", 2048),
    ("OGG", "OPUS", 960),
    ("MP3", "MPEG_LAYER_III", 576),
    ("NIST", "PCM_16", 1),
    ("VOC", "PCM_16", 1),
    ("SVX", "PCM_16", 1),
    ("AVR", "PCM_16", 1),
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A file to read.

    Attributes:
        content: Its bytes.
        story: What was done to it.
        expected: The samples that were written and not overwritten, `[time, channels]`. None if bytes of the payload
            changed.
        slack: Samples of a frame of the codec.
    """

    content: bytes
    story: str
    expected: np.ndarray | None
    slack: int


@functools.lru_cache(400)
def clean(kind: int, seed: int, channels: int) -> tuple[bytes, np.ndarray, int]:
    """Returns a file, its samples `[time, channels]`, and the number of samples of a frame."""
    form, subtype, frame = KINDS[kind]
    rng = np.random.default_rng([seed, kind])
    frames = int(rng.integers(3000, 30000))
    noise = 0.05 * rng.standard_normal((frames, channels))
    samples = (0.2 * np.sin(np.arange(frames) * 0.05)[:, None] + noise).astype("float32")
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=form, subtype=subtype)
    decoded = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0]
    return file.getvalue(), decoded, frame


def case(number: int) -> Case:
    """Returns a case. Equal numbers give equal cases."""
    rng = np.random.default_rng([20, number])
    kind = number % len(KINDS)
    form = KINDS[kind][0]
    channels = 2 if rng.random() < 0.3 and form != "SVX" else 1  # libsndfile writes SVX with one channel only
    content, samples, frame = clean(kind, int(rng.integers(6)), channels)
    changes = [cut, cut_out, join, join_cut, surround, insert, other_size, flip]
    if form == "OGG":
        changes += [reorder, reorder]
    if form in ("WAV", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "VOC", "FLAC"):
        changes += [other_size, other_size]
    change = changes[rng.integers(len(changes))]
    content, expected, story = change(content, samples, kind, rng)
    if len(content) and rng.random() < 0.15 and change is not flip:
        more, others, _ = clean(kind, int(rng.integers(6)), channels)
        content, story = content + more, story + ", then joined"
        expected = None if expected is None else np.concatenate([expected, others])
    return Case(content, f"{number}: {'/'.join(KINDS[kind][:2])} {channels} ch. {story}", expected, frame)


def cut(content, samples, kind, rng):
    """Cuts off the end."""
    where = int(rng.integers(1, len(content))) if rng.random() < 0.6 else len(content) - int(rng.integers(1, 200))
    return content[: max(0, where)], samples, f"cut at {where} of {len(content)}"


def cut_out(content, samples, kind, rng):
    """Takes bytes out of the middle."""
    begin, end = np.sort(rng.integers(len(content) // 8, len(content), 2))
    if rng.random() < 0.3:
        end = min(len(content), begin + int(rng.integers(1, 3000)))
    return content[:begin] + content[end:], samples, f"without {begin} to {end} of {len(content)}"


def join(content, samples, kind, rng):
    """Appends one or two other files, of the same format or of another one."""
    parts, all_samples, names, last = [content], [samples], [], kind
    for _ in range(rng.integers(1, 3)):
        other = kind if rng.random() < 0.6 else int(rng.integers(len(KINDS)))
        # MP3 has no beginning by which it could be found behind all formats.
        if KINDS[other][0] in ("SVX", "AVR") or (KINDS[other][0] == "MP3" and KINDS[last][0] not in ("MP3", "FLAC")):
            other = last
        last = other
        more, others, _ = clean(other, int(rng.integers(6)), samples.shape[1])
        parts.append(more)
        all_samples.append(others)
        names.append(KINDS[other][0])
    return b"".join(parts), np.concatenate(all_samples), f"joined with {', '.join(names)}"


def join_cut(content, samples, kind, rng):
    """Appends a whole file to a cut one."""
    broken, _, story = cut(content, samples, kind, rng)
    more, others, _ = clean(kind, int(rng.integers(6)), samples.shape[1])
    return broken + more, np.concatenate([samples, others]), f"{story}, and a whole one behind it"


def garbage(rng):
    """Returns bytes that are no audio."""
    size = int(rng.choice([1, 7, 128, 1000, 5000, 20000]))
    return {
        0: bytes(size),
        1: rng.integers(0, 256, size, np.uint8).tobytes(),
        2: b"404 Not Found\n" * (size // 14 + 1),
        3: b"TAG" + bytes(125),
        4: b"ID3\x04\0\0\0\0\x01\x00" + bytes(128),
        5: b"LIST\x0c\0\0\0INFOICMT\0\0\0\0",
    }[int(rng.integers(6))]


def surround(content, samples, kind, rng):
    """Puts garbage in front of a file or behind it."""
    extra, front = garbage(rng), rng.random() < 0.3
    where = "in front" if front else "behind"
    return (extra + content if front else content + extra), samples, f"{len(extra)} bytes {where}: {extra[:8]!r}"


def insert(content, samples, kind, rng):
    """Puts garbage between two files, or into one, where samples before and behind it must not get lost."""
    extra = garbage(rng)
    more, others, _ = clean(kind, int(rng.integers(6)), samples.shape[1])
    if rng.random() < 0.7:
        return content + extra + more, np.concatenate([samples, others]), f"{len(extra)} bytes between two files"
    where = int(rng.integers(len(content) // 4, len(content)))
    # Samples that move are not compared, so only the number counts.
    return content[:where] + extra + content[where:], None, f"{len(extra)} bytes inserted at {where}"


def other_size(content, samples, kind, rng):
    """Writes another size into a header."""
    form = KINDS[kind][0]
    if form == "NIST":
        count = int(rng.choice([0, len(samples) // 2, len(samples) - 1, len(samples) + 7, len(samples) * 3]))
        new = re.sub(rb"sample_count -i \d+", b"sample_count -i %d" % count, content)
        new = new[:1024] + content[1024:] if len(new) == len(content) else content
        return new, samples, f"sample_count {count} instead of {len(samples)}"
    place = field(content, form)
    if place is None:
        return cut(content, samples, kind, rng)
    at, code = place
    if form == "FLAC":
        packed = struct.unpack(">Q", content[18:26])[0]
        count = int(rng.choice([0, 1, len(samples) // 2, len(samples) - 1, len(samples) + 1, 4096, 2**35]))
        return content[:18] + struct.pack(">Q", packed >> 36 << 36 | count) + content[26:], samples, f"total {count}"
    width = 3 if code == "voc" else struct.calcsize(code)
    order = "little" if code == "voc" or code[0] == "<" else "big"
    right = int.from_bytes(content[at : at + width], order)
    choices = [0, 1, right // 2, right - 2, right - 1000, right + 16, right + 36, right + 44, right + 300, right * 3]
    choices += [256**width - 1, 256**width // 2 - 4096]
    size = max(0, int(choices[rng.integers(len(choices))])) % 256**width
    return (
        content[:at] + size.to_bytes(width, order) + content[at + width :],
        samples,
        f"size {size} instead of {right}",
    )


def field(content, form):
    """Returns the position of the size of the samples and its form, or None."""
    if form in ("WAV", "WAVEX"):
        return content.index(b"data") + 4, "<I"
    if form == "RF64":
        return 28, "<Q"
    if form == "W64":
        return content.index(b"data\xf3\xac") + 16, "<Q"
    if form == "AIFF":
        return content.index(b"SSND") + 4, ">I"
    if form == "SVX":
        return content.index(b"BODY") + 4, ">I"
    if form == "CAF":
        return content.index(b"data\0\0\0\0") + 4, ">Q"
    return {"AU": (8, ">I"), "VOC": (27, "voc"), "FLAC": (18, ">Q"), "AVR": (26, ">I")}.get(form)


def reorder(content, samples, kind, rng):
    """Drops, repeats, exchanges or damages Ogg pages, or clears the end-of-stream flag."""
    found = [content[begin:end] for begin, end in pages(content)]
    at = int(rng.integers(len(found)))
    what = ("drop", "repeat", "exchange", "checksum", "flag")[rng.integers(5)]
    if what == "drop":
        del found[at]
    elif what == "repeat":
        found.insert(at, found[at])
    elif what == "exchange":
        other = int(rng.integers(len(found)))
        found[at], found[other] = found[other], found[at]
    elif what == "checksum":
        page = bytearray(found[at])
        page[22] ^= 0x55
        found[at] = bytes(page)
    else:
        page = bytearray(found[-1])
        page[5] &= ~4
        found[-1] = with_checksum(bytes(page))
    return b"".join(found), samples, f"{what} page {at} of {len(found)}"


def flip(content, samples, kind, rng):
    """Changes single bytes anywhere."""
    changed = bytearray(content)
    for at in rng.integers(0, len(changed), int(rng.integers(1, 20))):
        changed[at] ^= int(rng.integers(1, 256))
    return bytes(changed), None, "flipped bytes"
