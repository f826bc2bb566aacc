"""Normalized configs: a config whose feature is that of another one, normalized by statistics as its last step."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from audiopipe.configs import silence
from audiopipe.configs.identified import Identified
from audiopipe.configs.standardization import Standardization, of_statistics
from audiopipe.errors import ConfigError

if TYPE_CHECKING:
    from audiopipe.configs.base import Config
    from audiopipe.layers import StatisticsNormalization

NORMALIZED = "normalized "


@dataclass(frozen=True, kw_only=True)
class Normalizable(Identified):
    """Frozen dataclass that can end with a normalization. Base class of `Config`.

    `layer`, `quantities`, `decibels_per_unit`, `silence` and `padding` of a class describe the feature without the
    normalization. This class extends them, so that neither audiopipe's configs nor those of other packages need to know
    of it.
    """

    if TYPE_CHECKING:
        standardization: Standardization | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, extended in _EXTENDED.items():
            owner = next((base for base in cls.__mro__ if name in vars(base)), Normalizable)
            if owner is cls or not issubclass(owner, Normalizable):  # other bases of a class can have these members too
                setattr(cls, name, extended(vars(owner)[name]))

    def normalized(self, statistics: Any, per: str = "bin", eps: float = 1e-5) -> Self:
        """Returns a new config whose feature is `(x - mean) / std` of the feature of this config.

        The numbers are part of the new config, rounded once to float32. The config has its own fingerprint and works
        like any other config. Subtraction and division are in float32, so the feature has the bits of
        `(feature - mean) / std` in NumPy.

        Args:
            statistics: `audiopipe.Statistics` of this feature, usually those of the training data:
                `FeatureSet(path).where(split="train").statistics`. `Statistics(mean=..., std=...)` takes published
                numbers.
            per: `"bin"` normalizes each bin and channel by its own numbers. `"global"` normalizes all bins and channels
                by one mean and one standard deviation, or those of each quantity, if the feature has several.
            eps: Smallest divisor, greater than 0. A bin that is constant in the data is divided by it and becomes 0.

        Returns:
            A config of the same class. `without_normalization` gives this config back.

        Raises:
            ConfigError: If the statistics are those of another feature, have another number of bins or channels, if
                the config is normalized already, or if an argument is out of range.

        Example:
            >>> from audiopipe import Statistics, registry
            >>> base = registry.get("speech-mel-80")
            >>> config = base.normalized(Statistics(mean=np.full(80, -30.0), std=np.full(80, 8.0)))
            >>> config.quantities, config.silence, config.without_normalization == base
            (('normalized decibel',), -2.5, True)
        """
        if self.standardization is not None:
            raise ConfigError(
                f"Only a config that is not normalized can be normalized. Received: a {type(self).__name__} with "
                f"{self.standardization!r}. Use config.without_normalization.normalized(statistics)."
            )
        numbers = of_statistics(cast("Config", self), statistics, per, eps)
        return dataclasses.replace(self, standardization=numbers)

    @functools.cached_property
    def without_normalization(self) -> Self:
        """The config without the last step of `normalized`. It is the config itself if it is not normalized."""
        return self if self.standardization is None else dataclasses.replace(self, standardization=None)

    @functools.cached_property
    def _normalized_silence(self) -> float | np.ndarray:
        return _normalized_values(cast("Config", self), "silence")

    @functools.cached_property
    def _normalized_padding(self) -> float | np.ndarray:
        return _normalized_values(cast("Config", self), "padding")


def last_layer(config: Config, name: str | None = None) -> StatisticsNormalization:
    """Returns a new layer that computes the last step of a normalized config, in float32 whatever the dtype policy.

    Args:
        config: A normalized config.
        name: Name of the layer. None means a unique name.
    """
    from audiopipe.layers import StatisticsNormalization

    assert config.standardization is not None
    return StatisticsNormalization(
        **config.standardization.to_dict(),
        quantities=len(config.quantities),
        data_format=config.output_data_format,
        dtype="float32",
        name=name,
    )


def _normalized_values(config: Config, name: str) -> float | np.ndarray:
    """Returns silence or padding of a config after its last step, in the same form."""
    assert config.standardization is not None
    values = getattr(config.without_normalization, name)
    mean, std = config.standardization.arrays((config.channels or 1) * len(config.quantities))
    normalized = (np.atleast_2d(np.asarray(values, np.float32)) - mean) / std
    return silence.smallest(normalized)


def _extended_layer(layer: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(layer)
    def extended(config: Any, *args: Any, **kwargs: Any) -> Any:
        if config.standardization is None:
            return layer(config, *args, **kwargs)
        composed = config.without_normalization.layer(*args, **kwargs)
        if not hasattr(composed, "append_normalization"):
            raise ConfigError(
                f"{type(config).__name__}.layer must return an audiopipe.layers.ComposedLayer to be normalized. "
                f"Received: {type(composed).__name__}. Return ComposedLayer([...])."
            )
        composed.append_normalization(last_layer(config, f"{composed.name}_statistics"), config.to_json())
        return composed

    return extended


def _extended_quantities(member: Any) -> property:
    def quantities(config: Any) -> tuple[str, ...]:
        if config.standardization is None:
            return member.__get__(config, type(config))
        base = config.without_normalization.quantities
        return tuple(name if name.startswith(NORMALIZED) else NORMALIZED + name for name in base)

    return property(quantities, doc=member.__doc__)


def _extended_values(member: Any, name: str) -> property:
    def values(config: Any) -> float | np.ndarray:
        if config.standardization is None:
            return member.__get__(config, type(config))
        return getattr(config, f"_normalized_{name}")

    return property(values, doc=member.__doc__)


def _extended_unit(member: Any) -> property:
    def unit(config: Any) -> float | None:
        # A difference of 1 is another number of decibels in every bin.
        return member.__get__(config, type(config)) if config.standardization is None else None

    return property(unit, doc=member.__doc__)


_EXTENDED: dict[str, Callable[[Any], Any]] = {
    "layer": _extended_layer,
    "quantities": _extended_quantities,
    "decibels_per_unit": _extended_unit,
    "silence": functools.partial(_extended_values, name="silence"),
    "padding": functools.partial(_extended_values, name="padding"),
}
