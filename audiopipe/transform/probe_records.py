"""What is recorded about the features of the probe files, and how two records compare.

A record is JSON, so that feature sets, datasets and models can carry it. It holds a digest of everything, and some
values, which tell how much two machines differ. It takes at most 34 kB, so only evenly spaced values are kept of a
feature that has more than `MOST_VALUES`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_VALUES = 2048  # of the feature of one file
DIGEST_DIGITS = 16

STEPS = ("decoded", "samples", "feature")
"""What a digest is of: the samples of the file, those that the feature is computed from, and the feature."""


@dataclass(frozen=True, eq=False)
class ProbedFile:
    """What a machine computed from one probe file.

    Args:
        digests: Digest of each of `STEPS`.
        values: Values of the feature, float32 `[values]`: all of them, or `MOST_VALUES` that are evenly spaced.
    """

    digests: Mapping[str, str]
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class ProbeRecord:
    """What a machine computed from the probe files.

    Args:
        fingerprint: Fingerprint of the feature.
        files: What it computed from each file, by name.
    """

    fingerprint: str
    files: Mapping[str, ProbedFile]

    @property
    def digest(self) -> str:
        """SHA-256 over the fingerprint and all bits that were computed: 64 hexadecimal characters."""
        facts = [self.fingerprint, {name: dict(file.digests) for name, file in self.files.items()}]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Returns the record as a dict for JSON."""
        described = {
            name: {**file.digests, "values": base64.b64encode(file.values.astype("<f4").tobytes()).decode()}
            for name, file in self.files.items()
        }
        return {"fingerprint": self.fingerprint, "digest": self.digest, "files": described}

    @classmethod
    def from_dict(cls, facts: Any) -> "ProbeRecord":
        """Returns the record that a dict describes, which may come from a stranger.

        Raises:
            ValueError: If the dict is not one that `to_dict` returns.
        """
        try:
            found = cls(
                _digits(facts["fingerprint"], 64), {str(name): _file(file) for name, file in facts["files"].items()}
            )
            digest = _digits(facts["digest"], 64)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"A probe must have the fields fingerprint, digest and files. {error!r}") from error
        if digest != found.digest:
            raise ValueError(f"The digest of a probe must be {found.digest}. Received: {digest}")
        return found


def digest(array: np.ndarray) -> str:
    """Returns a digest of the bits and the shape of float32 values. The bits of NaN do not count."""
    plain = np.where(np.isnan(array), np.float32(np.nan), array).astype("<f4", copy=False)
    content = hashlib.sha256(repr(plain.shape).encode())
    content.update(np.ascontiguousarray(plain).data.cast("B") if plain.size else b"")
    return content.hexdigest()[:DIGEST_DIGITS]


def spread(values: np.ndarray) -> np.ndarray:
    """Returns at most `MOST_VALUES` values of an array in one dimension, evenly spaced."""
    flat = values.ravel()
    if flat.size <= MOST_VALUES:
        return flat
    return flat[np.linspace(0, flat.size - 1, MOST_VALUES).astype(np.int64)]


def _file(facts: Any) -> ProbedFile:
    values = facts["values"]
    if not isinstance(values, str) or len(values) > 4 * MOST_VALUES * 2:
        raise ValueError(f"The values of a probe must be text of at most {8 * MOST_VALUES} characters.")
    try:
        content = base64.b64decode(values.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"The values of a probe must be in base64: {error}") from error
    if len(content) % 4:
        raise ValueError(f"The values of a probe must be float32. Received: {len(content)} bytes")
    return ProbedFile(
        {step: _digits(facts[step], DIGEST_DIGITS) for step in STEPS},
        np.frombuffer(content, "<f4").astype(np.float32, copy=False),
    )


def _digits(value: Any, count: int) -> str:
    if not isinstance(value, str) or len(value) != count or set(value) - set("0123456789abcdef"):
        raise ValueError(f"A digest of a probe must have {count} hexadecimal digits. Received: {value!r:.100}")
    return value
