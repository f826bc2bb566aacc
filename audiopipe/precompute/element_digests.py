"""Digests of computed clips in pipelines: of the feature, and of the number of its frames that hold audio.

Statistics count only these frames. So a step of a pipeline that changes the number must not go unnoticed. The digest of
a clip whose frames all hold audio is that of its feature, as in tables, see `audiopipe.feature_sets.row_digests`.
"""

import xxhash


def digest(of_feature: str, n_frames: int, valid_frames: int | None) -> str:
    """Returns the digest of a computed clip.

    Args:
        of_feature: Digest of the feature, from `row_digests.digest`.
        n_frames: Number of frames.
        valid_frames: Number of frames that hold audio. None if it is not known.

    Returns:
        16 hexadecimal characters. If all frames hold audio, the digest of the feature. Otherwise xxh3-64 of the text
        `"<digest of the feature> <valid frames>"`.

    Example:
        >>> digest("68871938ac22f71d", 2, 2), digest("68871938ac22f71d", 2, 1)
        ('68871938ac22f71d', 'e33c4784ed809379')
    """
    if valid_frames == n_frames:
        return of_feature
    return xxhash.xxh3_64_hexdigest(f"{of_feature} {valid_frames}".encode())


def covered(stored: str, of_feature: str, n_frames: int) -> tuple[bool, int | None]:
    """Finds the number of frames with audio that a digest covers, to explain why it differs.

    Args:
        stored: Digest of a computed clip.
        of_feature: Digest of its feature.
        n_frames: Number of its frames.

    Returns:
        Whether the digest is that of the feature with any number of frames with audio, and this number.
    """
    for count in (n_frames, None, *range(n_frames)):
        if digest(of_feature, n_frames, count) == stored:
            return True, count
    return False, None
