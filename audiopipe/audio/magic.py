"""First bytes of audio containers."""

# Two bytes are enough to tell that no container begins, so the usual answer is quick.
_BEGINNINGS = {b"RI", b"RF", b"FO", b"ri", b"ca", b".s", b"dn", b"fL", b"Og", b"NI", b"Cr"}
AIFF_KINDS = (b"AIFF", b"AIFC", b"8SVX", b"16SV")


def is_container(head: bytes) -> bool:
    """Returns whether a file that begins with these 16 bytes is of a format that audiopipe looks into.

    MP3 has no container; see `audiopipe.audio.mpeg.is_stream`.
    """
    if head[:2] not in _BEGINNINGS:
        return False
    match head[:4]:
        case b"RIFF" | b"RIFX" | b"RF64":
            return head[8:12] == b"WAVE"
        case b"FORM":
            return head[8:12] in AIFF_KINDS
        case b"riff":
            return head[4:16] == b"\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
        case b"caff":
            return head[4:6] == b"\0\1"
        case b".snd":
            return head[4:6] == b"\0\0"
        case b"dns.":
            return head[6:8] == b"\0\0"
        case b"fLaC":
            return head[4:8] in (b"\0\0\0\x22", b"\x80\0\0\x22")
        case b"OggS":
            return head[4] == 0 and head[5] & 2 == 2
        case b"NIST":
            return head[:8] == b"NIST_1A\n"
        case b"Crea":
            return head == b"Creative Voice F"
    return False
