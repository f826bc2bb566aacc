"""Canonical JSON, identity form and fingerprint of configs."""

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any, ClassVar

from audiopipe import wording
from audiopipe.configs import config_classes
from audiopipe.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Identified:
    """Frozen dataclass that is identified by its fields and its kernel version. Base class of `Config`."""

    kernel_version: ClassVar[int] = 1
    """Integer to raise when the same config would produce different bits. audiopipe's own are in `kernel_versions`."""

    @classmethod
    def feature_name(cls) -> str:
        """Returns the name of the class in JSON, with its module if it is a class of another package.

        Example:
            >>> from audiopipe.configs import MelSpectrogram
            >>> MelSpectrogram.feature_name()
            'MelSpectrogram'
        """
        return config_classes.name_of(cls)

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields with their values, and the class under `"feature"`, see `feature_name`."""
        plain = {
            name: value.to_dict() if hasattr(value, "to_dict") else value for name, value in self._fields().items()
        }
        return {"feature": type(self).feature_name(), **plain}

    def _fields(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}

    def to_json(self) -> str:
        """Returns the canonical JSON: all fields, with sorted keys.

        Example:
            >>> from audiopipe import configs
            >>> configs.StftMagnitude(sample_rate=16000).to_json()[:60]
            '{"channel":null,"channels":1,"db_amin":1e-05,"db_dynamic_ran'
        """
        return _canonical_json(self.to_dict())

    def stamp(self, kernel_version: int | None = None) -> str:
        """Returns the JSON that features carry: `config`, `fingerprint` and `kernel_version`.

        The config is its identity form, so that equal features have equal stamps in every release.

        Args:
            kernel_version: Kernel version of the features. None means that of this release.
        """
        version = self.kernel_version if kernel_version is None else kernel_version
        stamp = {"config": self.identity(), "fingerprint": self.fingerprint_at(version), "kernel_version": version}
        return _canonical_json(stamp)

    def identity(self) -> dict[str, Any]:
        """Returns the identity form. Two configs are the same feature if their identity forms are equal."""
        later = {item.name: item.default for item in dataclasses.fields(self) if item.metadata.get("later")}
        return {
            name: value
            for name, value in self.to_dict().items()
            if name not in later or not self._is_default(name, later[name])
        }

    def _is_default(self, name: str, default: Any) -> bool:
        """Returns whether a field has its default, or the value that replaces the default on construction."""
        try:
            resolved = getattr(dataclasses.replace(self, **{name: default}), name)
        except ConfigError:
            return False  # the default is not valid together with the other fields
        return resolved == getattr(self, name)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the identity form and the kernel version: 64 hexadecimal characters."""
        return self.fingerprint_at(self.kernel_version)

    def fingerprint_at(self, kernel_version: int) -> str:
        """Returns the fingerprint of this config under a kernel version."""
        return hashlib.sha256(self.fingerprinted(kernel_version).encode()).hexdigest()

    def fingerprinted(self, kernel_version: int) -> str:
        """Returns the text that `fingerprint_at` hashes."""
        return _canonical_json({"config": self.identity(), "kernel_version": kernel_version})

    def diff(
        self, other: "Identified", other_kernel_version: int | None = None, kernel_version: int | None = None
    ) -> str:
        """Describes how two configs differ, one field per line. Returns an empty string if nothing differs.

        If their classes differ, only fields that both have are listed. The last line counts the others.

        Args:
            other: The other config.
            other_kernel_version: Kernel version of the other config. None means that of this release.
            kernel_version: Kernel version of this config. None means that of this release.

        Example:
            >>> from audiopipe.configs import MelSpectrogram
            >>> print(MelSpectrogram().diff(MelSpectrogram(n_mels=64)))
            n_mels: 128 != 64
        """
        # The fields themselves, because some have a shorter text than their JSON.
        mine = {"feature": self.feature_name(), **self._fields()}
        others = {"feature": other.feature_name(), **other._fields()}
        if mine["feature"] == others["feature"]:  # kernel versions of two classes cannot be compared
            mine["kernel_version"] = kernel_version or self.kernel_version
            others["kernel_version"] = other_kernel_version or other.kernel_version
        names = sorted(mine.keys() & others.keys(), key=lambda name: (name != "feature", name))
        lines = [f"{name}: {mine[name]!r} != {others[name]!r}" for name in names if mine[name] != others[name]]
        only = [
            f"{wording.count_of(len(left.keys() - right.keys()), 'field')} that only {left['feature']} has"
            for left, right in ((mine, others), (others, mine))
            if left.keys() - right.keys()
        ]
        if only:
            lines.append(f"Not listed: {', and '.join(only)}.")
        return "\n".join(lines)


def _canonical_json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
