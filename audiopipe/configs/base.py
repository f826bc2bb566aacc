"""Base class of configs: checks on construction, and the shape of the feature.

A config holds the arguments of a composed layer and everything else that affects the bits of a feature: sample rate,
channels, decoder and resampler. Construction fills in everything that was left out, so that a config is complete and
does not depend on the defaults of a later release.
"""

import dataclasses
import functools
import inspect
import typing
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from audiopipe import checks
from audiopipe.configs import config_classes, silence, standardization
from audiopipe.configs.fields import later_field, typed
from audiopipe.configs.normalizing import Normalizable
from audiopipe.configs.stampable import Stampable
from audiopipe.configs.standardization import Standardization
from audiopipe.errors import ArgumentError, ConfigError
from audiopipe.identity import kernel_versions
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import Framing

MAX_CHANNELS = 64
DECODERS = ("soundfile",)
RESAMPLERS = ("soxr",)
RESAMPLER_QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")


@dataclass(frozen=True, kw_only=True)
class Config(Normalizable, Stampable):
    """Base class of all configs.

    Args:
        sample_rate: Sample rate of the computation, in hertz. Audio of another rate is resampled.
        channels: 1 mixes all channels down to their mean, 2 .. 64 requires that number, None keeps all channels.
        channel: Number of the channel to compute the feature of, from 0, instead of mixing down. `channels` must then
            be 1. Each side of a telephone call often has a channel of its own. None picks no channel.
        decoder: Decoder of audio files. Only `"soundfile"` is available.
        resampler: Resampler. Only `"soxr"` is available.
        resampler_quality: Quality recipe of soxr: `"QQ"`, `"LQ"`, `"MQ"`, `"HQ"` or `"VHQ"`.

    Raises:
        ConfigError: If a field has a wrong type or is out of range. The message names the field.
    """

    composed: ClassVar[str]
    """Name of the function in `audiopipe.composed` whose arguments are the fields of the config."""

    sample_rate: int = 22050
    channels: int | None = 1
    decoder: str = "soundfile"
    resampler: str = "soxr"
    resampler_quality: str = "HQ"
    channel: int | None = later_field(None)
    standardization: Standardization | None = later_field(None, standardization.check)  # noqa: RUF009 (it is a field)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "composed") and cls.layer is Config.layer:
            return  # a base class of other configs
        config_classes.add(cls)
        name = cls.feature_name()
        if "kernel_version" in vars(cls) or name not in kernel_versions.VERSIONS:
            kernel_versions.VERSIONS[name] = cls.kernel_version
        cls.kernel_version = kernel_versions.VERSIONS[name]

    def __post_init__(self) -> None:
        if not config_classes.has_fixed_name(type(self)):
            # In another program, the same name can mean another class.
            raise ConfigError(
                "A config class must be at the top level of a module that other programs can import. Received: "
                f"{type(self).feature_name()}. Move the class into a module and import it from there."
            )
        try:
            for name, value in self._checked().items():
                object.__setattr__(self, name, value)
        except ConfigError:
            raise
        except ArgumentError as error:
            raise ConfigError(f"{type(self).__name__}: {error}") from error
        if self.standardization is not None:
            self.standardization.check_fits(self)

    def _checked(self) -> dict[str, Any]:
        """Checks all fields and returns their canonical values. Subclasses extend the result of `super()`."""
        hints = typing.get_type_hints(type(self))
        checked = {}
        for item in dataclasses.fields(self):
            check = item.metadata.get("check", functools.partial(typed, kind=hints[item.name]))
            checked[item.name] = check(item.name, getattr(self, item.name))
        checks.integer("sample_rate", self.sample_rate, minimum=1, maximum=checks.LARGEST_SIZE)
        if self.channels is not None and not 1 <= self.channels <= MAX_CHANNELS:
            raise checks.fail("channels", f"None or 1 .. {MAX_CHANNELS}", self.channels)
        if self.channel is not None and not 0 <= self.channel < MAX_CHANNELS:
            raise checks.fail("channel", f"None or 0 .. {MAX_CHANNELS - 1}", self.channel)
        if self.channel is not None and self.channels != 1:
            raise checks.fail(
                "channels",
                f"1 if the config picks channel {self.channel}, as the feature is that of one channel",
                self.channels,
            )
        for name, choices in (
            ("decoder", DECODERS),
            ("resampler", RESAMPLERS),
            ("resampler_quality", RESAMPLER_QUALITIES),
        ):
            checks.choice(name, checked[name], choices)
        return checked

    @property
    def input_data_format(self) -> str:
        """Data format of the composed layer's input. Some configs have a field of this name."""
        return "channels_last"

    @property
    def output_data_format(self) -> str:
        """Data format of the feature. Some configs have a field of this name."""
        return "channels_last"

    @property
    def framing(self) -> Framing | EdgeFraming | None:
        """Framing of the waveform if each frame depends on its own samples only, else None.

        Long clips and streams are computed in blocks if it is not None. The layers of the config must then extend a
        clip as the framing says, see `audiopipe.layers.audio_layer.AudioLayer.extends_clip`.
        """
        return None

    @property
    def quantities(self) -> tuple[str, ...]:
        """Quantities that the feature contains for each channel of the clip, each in a separate channel.

        They are among `"magnitude"`, `"power"`, `"decibel"`, `"log magnitude"`, `"log power"`, `"cepstrum"`, the same
        names after `"normalized "`, `"scaled log power"` (Whisper), `"phase"`, `"real part"`, `"imaginary part"` and
        `"normalized waveform"`.
        The first quantity of all channels comes before the second quantity of all channels.
        """
        return ("magnitude",)

    @property
    def decibels_per_unit(self) -> float | None:
        """Number of decibels between two values of the feature that differ by 1. None if the values are not logarithms.

        Example:
            >>> from audiopipe import registry
            >>> registry.get("speech-mel-80").decibels_per_unit, registry.get("whisper-80").decibels_per_unit
            (1.0, 40.0)
        """
        return 1.0 if self.quantities == ("decibel",) else None

    @property
    def feature_channels(self) -> int | None:
        """Number of channels of the feature, or None if it depends on the clip."""
        return None if self.channels is None else self.channels * len(self.quantities)

    @functools.cached_property
    def n_bins(self) -> int:
        """Number of bins per frame."""
        return len(self.frequencies())

    def frequencies(self) -> np.ndarray:
        """Returns the centre of each bin, in hertz: float64 `[bins]`."""
        raise ConfigError(f"{type(self).__name__} must define `frequencies`, which returns the centres of its bins.")

    def n_frames(self, n_samples: Any) -> Any:
        """Returns the number of frames of a clip.

        Args:
            n_samples: Number of samples at the config's sample rate: an int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`.
        """
        raise ConfigError(f"{type(self).__name__} must define `n_frames`, which returns the number of frames.")

    def valid_frames(self, n_samples: Any) -> Any:
        """Returns how many frames of a clip hold audio. The other frames are padding that the feature defines.

        Args:
            n_samples: Number of samples at the config's sample rate: an int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`: all frames, unless the feature pads each clip.
        """
        return self.n_frames(n_samples)

    @property
    def pads_clips(self) -> bool:
        """Whether the feature pads or cuts clips to a fixed length by its definition.

        Doors then return both numbers: `n_frames` and `valid_frames`.
        """
        return False

    def kept_samples(self, n_samples: Any) -> Any:
        """Returns how many samples of a clip the feature covers. It leaves out the rest at the end of the clip.

        Args:
            n_samples: Number of samples at the config's sample rate: an int, a NumPy array or a tensor of integers.

        Returns:
            The number of samples, of the same kind as `n_samples`: all samples, unless the feature cuts long clips.
        """
        return n_samples

    @property
    def max_samples(self) -> int | None:
        """Number of samples of the longest clip that has a feature, or None if there is no limit.

        Doors refuse longer clips with an `AudioError`.
        """
        return None

    def feature_shape(self, n_frames: int | None, channels: int | None) -> tuple[int | None, int | None, int | None]:
        """Returns the shape of the feature of one clip.

        Args:
            n_frames: Number of frames of the feature. None means any number.
            channels: Number of channels of the clip. None means any number. The feature has this many channels for
                each of its `quantities`.

        Returns:
            `(frames, bins, channels)`, or `(channels, frames, bins)` for `channels_first`.
        """
        channels = None if channels is None else channels * len(self.quantities)
        if self.output_data_format == "channels_last":
            return n_frames, self.n_bins, channels
        return channels, n_frames, self.n_bins

    @property
    def frame_axis(self) -> int:
        """Axis of the frames in the feature of one clip."""
        return self.feature_shape(None, 0).index(None)

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in the feature of one clip."""
        return self.feature_shape(0, None).index(None)

    @functools.cached_property
    def silence(self) -> float | np.ndarray:
        """Value of the feature for an all-zero clip, computed by the layer of the config on first use.

        It is a float if one value fits all bins and channels. Otherwise it is a read-only float32 array that broadcasts
        to `[bins, channels]`, such as `[[-50, 0]]` for decibels and phases. If the config keeps all channels, the array
        is that of a clip of one channel. For `channels_first`, it has the channels last too.

        Decibels with a dynamic range are relative to the clip's maximum. Silence is still the value of the all-zero
        clip, not the floor of another clip, which is that clip's maximum minus the range. The floor of a loud clip is
        above silence. In a quiet clip it has no effect, because no value in decibels is below silence.

        Raises:
            ForkError: If this process was forked after TensorFlow had run.

        Example:
            >>> from audiopipe import registry
            >>> registry.get("speech-mel-80").silence
            -50.0
        """
        return silence.of_zeros(self)

    @property
    def padding(self) -> float | np.ndarray:
        """Value of frames beyond a clip's end, in the form of `silence`. Subclasses may define another value."""
        return self.silence

    def padding_frame(self, channels: int) -> np.ndarray:
        """Returns one frame of padding, which broadcasts to the feature of a clip.

        Args:
            channels: Number of channels of the clip.

        Returns:
            float32 in the shape of `feature_shape(1, channels)`.

        Example:
            >>> from audiopipe.configs import StftMagPhase
            >>> config = StftMagPhase(return_decibel=True, channels=None, output_data_format="channels_last")
            >>> config.padding_frame(channels=2)[0, 0]
            array([-50., -50.,   0.,   0.], dtype=float32)
        """
        return silence.frame(self.padding, self, channels)

    def frame_times(self, n_frames: int) -> np.ndarray:
        """Returns the start of each frame in seconds: float64 `[n_frames]`. It is negative in padding before a clip."""
        raise ConfigError(f"{type(self).__name__} must define `frame_times`, which returns the starts of frames.")

    def frame_centres(self, n_frames: int) -> np.ndarray:
        """Returns the centre of each frame's window in seconds: float64 `[n_frames]`, evenly spaced."""
        raise ConfigError(f"{type(self).__name__} must define `frame_centres`, which returns the centres of frames.")

    def layer(self, name: str | None = None):
        """Returns a new composed layer that computes the feature in float32, whatever the dtype policy.

        The layer keeps this config in every format that a model can be saved in. It computes every channel of its
        input: channels are mixed down or picked before the layer, by a `Transform` or `Transform.read`.

        Args:
            name: Name of the layer. None means a unique name that starts with the default of the composed function.

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
            arguments = self.to_dict() | self._layer_options()
            fields = {field: value for field, value in arguments.items() if field in parameters}
            layer = function(input_shape=None, name=name, **fields)
        finally:
            keras.config.set_dtype_policy(policy)
        layer.config_json = self.to_json()
        return layer

    def _layer_options(self) -> dict[str, Any]:
        """Arguments of the composed function that are no fields, because they do not change the feature."""
        return {}

    def __reduce__(self):
        # Only the fields: with a cached fingerprint in them, pickles of equal configs would differ.
        return _rebuild, (type(self), {item.name: getattr(self, item.name) for item in dataclasses.fields(self)})


def _rebuild(cls: type[Config], fields: dict[str, Any]) -> Config:
    return cls(**fields)
