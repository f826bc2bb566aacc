"""Settings of a feature extractor, checked one by one as they are read."""

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, ConfigError

AnyConfig = TypeVar("AnyConfig", bound=Config)

# Larger values are mistakes, and a layer with them would not fit into memory.
MAX_SAMPLE_RATE = 1_000_000
MAX_SAMPLES = 2**20
MAX_BINS = 2**12
MAX_FRAMES = 2**20
MAX_SECONDS = 3600.0

# Keys that every extractor may have, and that do not change the feature of a clip.
_BYSTANDERS = {"feature_extractor_type", "processor_class", "return_attention_mask", "transformers_version"}


class Settings:
    """Settings of one extractor. A setting that is missing has the default of its class in transformers.

    Args:
        values: Settings by name.
        place: Class and origin of the extractor, for the start of error messages.
        instance: The extractor itself, or None if the settings are from JSON.
    """

    def __init__(self, values: Mapping[str, Any], place: str, instance: Any = None):
        self._values = values
        self._known = set(_BYSTANDERS)
        self.place = place
        self.instance = instance

    def integer(self, name: str, default: int, minimum: int = 1, maximum: int = MAX_SAMPLES) -> int:
        """Returns an integer from `minimum` to `maximum`."""
        return self._checked(checks.integer, name, default, minimum=minimum, maximum=maximum)

    def real(self, name: str, default: float, **limits: float) -> float:
        """Returns a finite number within the limits of `checks.real`."""
        return self._checked(checks.real, name, default, **limits)

    def boolean(self, name: str, default: bool) -> bool:
        """Returns True or False."""
        return self._checked(checks.boolean, name, default)

    def choice(self, name: str, default: Any, choices: Sequence[Any], advice: str = "") -> Any:
        """Returns one of `choices`."""
        return self._checked(checks.choice, name, default, choices=choices, advice=advice)

    def optional(self, name: str, default: Any, read: Callable[..., Any], **limits: Any) -> Any:
        """Returns None if the setting is None, otherwise what `read`, a method of this object, returns."""
        return read(name, default, **limits) if self.get(name, default) is not None else None

    def sample_rate(self, default: int, even: bool = False) -> int:
        """Returns `sampling_rate`. If `even`, odd rates are refused, because transformers rounds half of them down."""
        rate = self.integer("sampling_rate", default, maximum=MAX_SAMPLE_RATE)
        if even and rate % 2:
            advice = "The filterbank of the extractor is for half an odd rate, rounded down."
            raise self._out_of_range("sampling_rate", rate, "even", advice)
        return rate

    def even(self, name: str, default: int) -> int:
        """Returns an even length of a Fourier transform."""
        length = self.integer(name, default, minimum=2)
        if length % 2:
            advice = "transformers spaces the bins of an odd transform otherwise than they are."
            raise self._out_of_range(name, length, "even", advice)
        return length

    def band(
        self, low: str, low_default: float, high: str, high_default: float | None, rate: int
    ) -> tuple[float, float]:
        """Returns two frequencies, the lower one first. If `high_default` is None, None means half the rate."""
        upper = self.get(high, high_default)
        upper = rate / 2 if upper is None and high_default is None else upper
        return self._named(checks.band, low, self.get(low, low_default), high, upper, rate)

    def only(self, name: str, default: Any, advice: str) -> None:
        """Refuses any value but `default`.

        Args:
            name: Name of the setting.
            default: Default of the class.
            advice: Why other values cannot be reproduced, and what can be done.
        """
        value = self.get(name, default)
        if not _same(value, default):
            raise ConfigError(
                f"{self.place}: no config reproduces {name}={checks.shown(value, 80)}. It must be {default!r}. {advice}"
            )

    def derived(self, name: str, value: Any) -> None:
        """Refuses an instance whose attribute was changed after it had been computed from the settings.

        JSON may hold the attribute as well. transformers ignores it there and computes it again, and so does audiopipe.
        """
        self._known.add(name)
        if self.instance is None:
            return
        found = getattr(self.instance, name, value)
        if found != value:
            raise ConfigError(
                f"{self.place}: {name} must be {value!r}, which follows from the other settings. Received: "
                f"{name}={checks.shown(found, 80)}. It was changed after the extractor was created. Create one with "
                "the settings that you want."
            )

    def refuse_in_json(self, name: str, advice: str) -> None:
        """Refuses an array that an instance has, but that JSON must not replace."""
        self._known.add(name)
        if self.instance is None and self._values.get(name) is not None:
            value = checks.shown(self._values[name], 80)
            raise ConfigError(f"{self.place}: no config reproduces {name}={value}. {advice}")

    def get(self, name: str, default: Any) -> Any:
        """Returns the value of a setting, with a scalar of NumPy as a number of Python."""
        self._known.add(name)
        value = self._values.get(name, default)
        is_scalar = isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0
        return value.item() if is_scalar else value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def config(self, cls: type[AnyConfig], own: Mapping[str, str], **fields: Any) -> AnyConfig:
        """Creates a config. Its errors speak of the settings, because their reader may not know our fields.

        Args:
            cls: Class of the config.
            own: For each field that is computed from a setting of another name, what it is: `"std"` or `"2 * std"`.
            **fields: Fields of the config.

        Raises:
            ConfigError: If the class refuses the fields.
        """
        try:
            return cls(**fields)
        except ConfigError as error:
            message = str(error).removeprefix(f"{cls.__name__}: ")
            # A name without an underscore is also a word, unless a value or a demand follows.
            names = "|".join(rf"\b{name}\b" + ("" if "_" in name else "(?==| must)") for name in own)
            message = re.sub(names, lambda found: own[found[0]], message)
            raise ConfigError(f"{self.place}: {message}") from None

    def ignore(self, names: Iterable[str]) -> None:
        """Marks settings that do not change the feature of a clip."""
        self._known.update(names)

    def warn_of_unknown(self) -> None:
        """Warns of settings that nothing has read, which transformers accepts and ignores."""
        if "image_processor_type" in self._values:
            return  # the file of a model of sounds and images has the settings of both
        names = (name if isinstance(name, str) else checks.shown(name, 80) for name in self._values)
        unknown = sorted(name for name in names if name not in self._known and not name.startswith("_"))
        if unknown:
            more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
            warnings.warn(
                f"{self.place} has settings that its class does not use: {', '.join(unknown[:10])}{more}. They are "
                "ignored, as transformers ignores them. Check that the class of a newer version does the same.",
                stacklevel=3,
            )

    def _checked(self, check: Callable[..., Any], name: str, default: Any, **limits: Any) -> Any:
        advice = limits.pop("advice", "")
        return self._named(functools.partial(check, **limits), name, self.get(name, default), advice=advice)

    def _named(self, check: Callable[..., Any], *arguments: Any, advice: str = "") -> Any:
        try:
            return check(*arguments)
        except ArgumentError as error:
            raise ConfigError(f"{self.place}: {error}{' ' + advice if advice else ''}") from None

    def _out_of_range(self, name: str, value: Any, expected: str, advice: str = "") -> ConfigError:
        return ConfigError(f"{self.place}: {checks.fail(name, expected, value, advice)}")


def _same(value: Any, item: Any) -> bool:
    is_simple = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return value is item or (is_simple and value == item)
