"""Damaged audio files of ten kinds, made from intact clips."""

import os
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import soundfile

# Kinds of damage, with the stage at which reading such a file fails.
KINDS = {
    "truncated header": "decode",
    "truncated data": "decode",
    "zero bytes": "decode",
    "text": "decode",
    "wrong extension": "decode",
    "NaN samples": "decode",
    "absurd header sizes": "decode",
    "0 Hz": "decode",
    "permission denied": "read",
    "vanished": "read",
}


def damage(kind, path, rng):
    """Replaces an intact clip by a damaged file of the same name.

    Two kinds are simulated. Root can read files without permission, so for root the clip becomes a socket, which can be
    listed but not opened. A clip that vanishes after it was listed becomes a dangling link, which can be listed as
    well. Code that needs its size finds it missing.

    Args:
        kind: One of `KINDS`.
        path: A clip of at least 100 samples that soundfile can read.
        rng: A NumPy random generator.
    """
    path = Path(path)
    content = path.read_bytes()
    if kind == "truncated header":
        path.write_bytes(content[: rng.integers(1, 44)])
    elif kind == "truncated data":
        path.write_bytes(content[: rng.integers(len(content) // 3, len(content) * 9 // 10)])  # more is tolerated
    elif kind == "zero bytes":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("404 Not Found\n" * int(rng.integers(1, 1000)))
    elif kind == "wrong extension":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", "404 Not Found\n" * int(rng.integers(1, 1000)))
    elif kind == "NaN samples":
        samples, rate = soundfile.read(path, dtype="float32")
        samples[rng.integers(len(samples))] = np.nan
        soundfile.write(path, samples, rate, subtype="FLOAT", format="WAV")
    elif kind == "absurd header sizes":
        at, form, value = [(4, "<I", 0xEE000000), (22, "<H", 65535), (16, "<I", 0xEE000000)][rng.integers(3)]
        path.write_bytes(_patched(_wav(path), (at, form, value), (40, "<I", 0xEE000000)))
    elif kind == "0 Hz":
        path.write_bytes(_patched(_wav(path), (24, "<I", 0)))
    elif kind == "permission denied":
        if os.geteuid():
            path.chmod(0)
        else:
            path.unlink()
            os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "vanished":
        path.unlink()
        path.symlink_to(path.with_name("nowhere") / path.name)
    else:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}. Received: {kind!r}.")


def _wav(path):
    """Returns the clip as a 16-bit WAV file with a header of 44 bytes."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    channels = samples.shape[1]
    header = struct.pack("<4sI4s4sI", b"RIFF", 36 + samples.nbytes, b"WAVE", b"fmt ", 16)
    header += struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    return header + struct.pack("<4sI", b"data", samples.nbytes) + samples.tobytes()


def _patched(content, *changes):
    content = bytearray(content)
    for at, form, value in changes:
        struct.pack_into(form, content, at, value)
    return bytes(content)
