"""What all configs have in common: checks on construction, canonical JSON, identity form and fingerprint.

A config holds the arguments of a composed layer and everything else that decides about the bits of a feature: sample
rate, channels, decoder and resampler. Whatever may be left out is filled in on construction, so that a config says all
of it and does not depend on a default of tomorrow's release.
"""

import dataclasses
import functools
import hashlib
import inspect
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs import config_classes
from audiopipe.errors import ArgumentError, ConfigError
from audiopipe.identity import kernel_versions
from audiopipe.signal.framing import Framing

MAX_CHANNELS = 64
DECODERS = ("soundfile",)
RESAMPLERS = ("soxr",)
RESAMPLER_QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")


def later_field(default: Any, check: Callable[[str, Any], Any] | None = None) -> Any:
    """A field that came in a later release than its class.

    While it stands at its default, or at what the class makes of that on construction, it is left out of the identity
    form, so fingerprints from before it existed stay what they were.

    Args:
        default: The value that means what releases without the field did. It may depend on other fields, as None
            often does, but not on a setting of the process, so `"default"` is refused: give the data format.
        check: Takes the field's name and value and returns the canonical value, or raises an `ArgumentError`. None
            checks against the annotation, which has to be a simple type or a union of such.
    """
    if isinstance(default, str) and default == "default":
        raise ConfigError(
            "The default of a later field must mean the same in every process. Received: default='default', which is "
            "what Keras is set to. Name the data format that the class had without the field, 'channels_last'."
        )
    return field(default=default, metadata={"later": True} | ({} if check is None else {"check": check}))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base class of all configs.

    Args:
        sample_rate: Samples per second that the feature is computed at, in hertz. Audio of another rate is resampled.
        channels: 1 mixes all channels down to their mean, 2 .. 64 requires that number, None keeps what there is.
        decoder: What decodes audio files. Only `"soundfile"`.
        resampler: What resamples. Only `"soxr"`.
        resampler_quality: soxr's recipe: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.

    Raises:
        ConfigError: If a field has a wrong type or is out of range. The message names the field.
    """

    kernel_version: ClassVar[int] = 1
    """Goes up when the same config would give other bits than before; of audiopipe's own see `kernel_versions`."""

    composed: ClassVar[str]
    """Name of the function in `audiopipe.composed` whose arguments the fields are."""

    sample_rate: int = 22050
    channels: int | None = 1
    decoder: str = "soundfile"
    resampler: str = "soxr"
    resampler_quality: str = "HQ"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "composed"):
            return
        config_classes.add(cls)
        name = cls.feature_name()
        if "kernel_version" in vars(cls) or name not in kernel_versions.VERSIONS:
            kernel_versions.VERSIONS[name] = cls.kernel_version
        cls.kernel_version = kernel_versions.VERSIONS[name]

    @classmethod
    def feature_name(cls) -> str:
        """What JSON says under `"feature"`: the class's name, and for a class of another package where to import it.

        Example:
            >>> from audiopipe.configs import MelSpectrogram
            >>> MelSpectrogram.feature_name()
            'MelSpectrogram'
        """
        return config_classes.name_of(cls)

    def __post_init__(self) -> None:
        if not config_classes.has_fixed_name(type(self)):
            # Its name would be no identity: another program can have another class of that name.
            raise ConfigError(
                "A config class must be one that other programs can import, at the top level of a module. Received: "
                f"{type(self).feature_name()}. Move it into a module, and import it from there."
            )
        try:
            for name, value in self._checked().items():
                object.__setattr__(self, name, value)
        except ConfigError:
            raise
        except ArgumentError as error:
            raise ConfigError(f"{type(self).__name__}: {error}") from error

    def _checked(self) -> dict[str, Any]:
        """Check every field and return those that take another form; subclasses add to what they get from super()."""
        hints = typing.get_type_hints(type(self))
        checked = {}
        for item in dataclasses.fields(self):
            check = item.metadata.get("check", functools.partial(_typed, kind=hints[item.name]))
            checked[item.name] = check(item.name, getattr(self, item.name))
        checks.integer("sample_rate", self.sample_rate, minimum=1)
        if self.channels is not None and not 1 <= self.channels <= MAX_CHANNELS:
            raise checks.fail("channels", f"None or 1 .. {MAX_CHANNELS}", self.channels)
        for name, choices in (
            ("decoder", DECODERS),
            ("resampler", RESAMPLERS),
            ("resampler_quality", RESAMPLER_QUALITIES),
        ):
            checks.choice(name, checked[name], choices)
        return checked

    @property
    def input_data_format(self) -> str:
        """Layout of the composed layer's input; configs with a field of this name let you choose."""
        return "channels_last"

    @property
    def output_data_format(self) -> str:
        """Layout of the feature; configs with a field of this name let you choose."""
        return "channels_last"

    @property
    def framing(self) -> Framing | None:
        """How the waveform is cut into frames that know nothing of one another; None where they need the whole clip.

        A config that has one has the fields `pad_begin` and `pad_end` as well. Long clips are then computed in blocks.
        """
        return None

    @property
    def quantities(self) -> tuple[str, ...]:
        """What the feature tells of a channel of the clip, each in a channel of its own.

        Of `"magnitude"`, `"power"`, `"decibel"`, `"scaled log power"` (Whisper's), `"phase"`, `"real part"` and
        `"imaginary part"`. All channels' first quantity comes before all channels' second.
        """
        return ("magnitude",)

    @property
    def feature_channels(self) -> int | None:
        """Number of channels of the feature, None where that of the clip decides."""
        return None if self.channels is None else self.channels * len(self.quantities)

    @functools.cached_property
    def n_bins(self) -> int:
        """Number of bins of a frame."""
        return len(self.frequencies())

    def frequencies(self) -> np.ndarray:
        """Centre of each bin, in hertz: float64 `[bins]`."""
        raise ConfigError(f"{type(self).__name__} does not say which frequencies its bins stand for.")

    def n_frames(self, n_samples: Any) -> Any:
        """Number of frames of a clip of `n_samples` samples at the config's rate: an int, an array or a tensor."""
        raise ConfigError(f"{type(self).__name__} does not say how many frames a clip has.")

    def feature_shape(self, n_frames: int | None, channels: int | None) -> tuple[int | None, int | None, int | None]:
        """Shape of the feature of one clip, `(frames, bins, channels)`, or `(channels, frames, bins)`.

        Args:
            n_frames: Frames of the feature, None for any number.
            channels: Channels of the clip, None for any number. The feature has as many for each of its `quantities`.
        """
        channels = None if channels is None else channels * len(self.quantities)
        if self.output_data_format == "channels_last":
            return n_frames, self.n_bins, channels
        return channels, n_frames, self.n_bins

    def frame_times(self, n_frames: int) -> np.ndarray:
        """Start of each frame in the clip, in seconds: float64 `[n_frames]`. Negative in padding before the clip."""
        raise ConfigError(f"{type(self).__name__} does not say where its frames start.")

    def layer(self, name: str | None = None):
        """Returns a new composed layer that computes the feature, in float32 whatever the policy.

        The layer carries this config through every way of saving a model.

        Args:
            name: Name of the layer. None means the default of the composed function, made unique as Keras does.

        Returns:
            An `audiopipe.layers.ComposedLayer`.

        Example:
            >>> from audiopipe import configs
            >>> configs.MelSpectrogram(n_fft=512).layer(name="short").name
            'short'
        """
        import keras

        from audiopipe import composed

        function = getattr(composed, self.composed)
        parameters = inspect.signature(function).parameters
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            fields = {field: value for field, value in self.to_dict().items() if field in parameters}
            layer = function(input_shape=None, name=name, **fields)
        finally:
            keras.config.set_dtype_policy(policy)
        layer.config_json = self.to_json()
        return layer

    def to_dict(self) -> dict[str, Any]:
        """Every field with its value, and the class under `"feature"`, see `feature_name`."""
        fields = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {"feature": type(self).feature_name(), **fields}

    def to_json(self) -> str:
        """The canonical JSON: every field, sorted keys.

        Example:
            >>> from audiopipe import configs
            >>> configs.StftMagnitude(sample_rate=16000).to_json()[:60]
            '{"channels":1,"db_amin":1e-05,"db_dynamic_range":80.0,"db_re'
        """
        return _canonical_json(self.to_dict())

    def stamp(self, kernel_version: int | None = None) -> str:
        """What features carry of their config: JSON with `config`, `fingerprint` and `kernel_version`.

        Args:
            kernel_version: The kernel version of the features. None means that of this release.
        """
        version = self.kernel_version if kernel_version is None else kernel_version
        stamp = {"config": self.to_dict(), "fingerprint": self.fingerprint_at(version), "kernel_version": version}
        return _canonical_json(stamp)

    def identity(self) -> dict[str, Any]:
        """The identity form: what decides whether two configs are the same feature."""
        later = {item.name: item.default for item in dataclasses.fields(self) if item.metadata.get("later")}
        return {
            name: value
            for name, value in self.to_dict().items()
            if name not in later or not self._stands_at(name, later[name])
        }

    def _stands_at(self, name: str, default: Any) -> bool:
        """Whether a field has the value that construction makes of its default."""
        try:
            resolved = getattr(dataclasses.replace(self, **{name: default}), name)
        except ConfigError:
            return False  # beside these other fields the default cannot stand
        return resolved == getattr(self, name)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the identity form and the kernel version: 64 hexadecimal characters."""
        return self.fingerprint_at(self.kernel_version)

    def fingerprint_at(self, kernel_version: int) -> str:
        """The fingerprint that this config has, or had, under a kernel version."""
        return hashlib.sha256(self.fingerprinted(kernel_version).encode()).hexdigest()

    def fingerprinted(self, kernel_version: int) -> str:
        """The text whose SHA-256 is the fingerprint under a kernel version."""
        return _canonical_json({"config": self.identity(), "kernel_version": kernel_version})

    def __reduce__(self):
        # The fields alone: a cached fingerprint in the pickle would give equal configs different pickles.
        return _rebuild, (type(self), {item.name: getattr(self, item.name) for item in dataclasses.fields(self)})

    def diff(self, other: "Config", other_kernel_version: int | None = None, kernel_version: int | None = None) -> str:
        """What differs between two configs, a line a field, or an empty string where they are the same feature.

        Args:
            other: The other config.
            other_kernel_version: The kernel version that computed the other. None means that of this release.
            kernel_version: The same for this config.

        Example:
            >>> from audiopipe.configs import MelSpectrogram
            >>> print(MelSpectrogram().diff(MelSpectrogram(n_mels=64)))
            n_mels: 128 != 64
        """
        mine, others = self.to_dict(), other.to_dict()
        mine["kernel_version"] = kernel_version or self.kernel_version
        others["kernel_version"] = other_kernel_version or other.kernel_version
        names = sorted({*mine, *others}, key=lambda name: (name != "feature", name))
        absent = "(no such field)"
        return "\n".join(
            f"{name}: {mine.get(name, absent)!r} != {others.get(name, absent)!r}"
            for name in names
            if (name in mine, mine.get(name)) != (name in others, others.get(name))
        )


def _rebuild(cls: type[Config], fields: dict[str, Any]) -> Config:
    return cls(**fields)


def _canonical_json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _typed(name: str, value: Any, *, kind: Any) -> Any:
    """Return `value` as the annotated type `kind`, a simple type or a union of such, or raise an error."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, str) and str in kinds:
        return str(value)
    for single, check in ((bool, checks.boolean), (int, checks.integer), (float, checks.real)):
        if single in kinds:
            return check(name, value)
    raise checks.fail(name, "a string", value)
