"""Panels of a feature: one for each quantity and channel, with the values as they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting import scales
from audiopipe.plotting.scales import Scale

Limits = tuple[float, float]
NO_NUMBERS = "cOSUMm"  # kinds of NumPy's dtypes


@dataclass(frozen=True, eq=False)
class Panel:
    """One channel of a feature, as it is drawn.

    Args:
        values: Values in drawn units: `[frames, bins]`.
        scale: Scale of the values.
        names: The quantity and the channel, each only if there are several.
        config: Config of the feature.
    """

    values: np.ndarray
    scale: Scale
    names: tuple[str, ...]
    config: Config

    @property
    def scaled(self) -> np.ndarray:
        """The values that decide on the limits. Coefficient 0 of a cepstrum does not: it is far larger than others."""
        numbers = self.config.frequencies()
        is_cepstrum = self.config.quantities[0] == scales.CEPSTRUM
        return self.values[:, numbers > 0] if is_cepstrum and (numbers > 0).any() else self.values


def panels_of(feature: Any, config: Config, channel: int | None = None, n_frames: int | None = None) -> list[Panel]:
    """Returns the panels of a feature.

    Args:
        feature: The feature, an array or a tensor in the shape of `config.feature_shape`.
        config: Config of the feature.
        channel: Number of a channel of the clip. None means all.
        n_frames: Number of frames that hold audio. None means all.

    Raises:
        ArgumentError: If the feature does not fit the config, or another argument does not fit the feature.
    """
    values = _values(feature, config)
    if n_frames is not None:
        values = values[: checks.integer("n_frames", n_frames, minimum=0, maximum=len(values))]
    channels, quantities = values.shape[-1], config.quantities
    n_audio = channels // len(quantities)
    if channel is not None:
        checks.integer("channel", channel, minimum=0, maximum=n_audio - 1)
    panels = []
    for index in range(channels):
        if channel is None or index % n_audio == channel:
            quantity = quantities[index // n_audio]
            drawn = scales.drawn(values[:, :, index], quantity)
            names = tuple(panel_name(index, channels, quantities))
            panels.append(Panel(drawn, scales.scale_of(config, quantity), names, config))
    return panels


def shared_limits(panels: Sequence[Panel]) -> dict[Scale, Limits]:
    """Returns the limits of each scale, which all of its panels share."""
    groups: dict[Scale, list[np.ndarray]] = {}
    for panel in panels:
        groups.setdefault(panel.scale, []).append(panel.scaled.ravel())
    ranges = {scale: scales.limits(np.concatenate(values), scale) for scale, values in groups.items()}
    lines = {panel.scale for panel in panels if panel.config.n_bins == 1}
    return {scale: scales.with_margin(limits) if scale in lines else limits for scale, limits in ranges.items()}


def panel_name(index: int, channels: int, quantities: tuple[str, ...]) -> list[str]:
    """Returns the quantity and the channel that a panel shows, each only if there are several."""
    n_audio = channels // len(quantities)
    name = [quantities[index // n_audio]] if len(quantities) > 1 else []
    return name + ([f"channel {index % n_audio}"] if n_audio > 1 else [])


def as_array(name: str, values: Any) -> np.ndarray:
    """Returns an array, a tensor or a list of numbers as a float32 array.

    Raises:
        ArgumentError: If it is none of these, or has no real numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind in NO_NUMBERS:
            raise TypeError(f"dtype {array.dtype}")
        return array.astype(np.float32)
    except Exception as error:  # libraries of tensors raise errors of any kind
        raise ArgumentError(
            f"{name} must be a NumPy array of numbers, or a tensor that NumPy can read. Received: "
            f"{type(values).__name__} ({type(error).__name__}: {error}). Convert it to NumPy first: a tensor of torch "
            "with tensor.detach().float().cpu().numpy()."
        ) from error


def _values(feature: Any, config: Config) -> np.ndarray:
    """Returns a feature as `[frames, bins, channels]` after checking its shape."""
    values = as_array("feature", feature)
    names = ["frames", str(config.n_bins)]
    names.insert(config.channel_axis, "channels")
    if values.ndim == 4:
        advice = " Draw one clip of a batch: feature[0]."
    elif values.ndim == 2:
        advice = (
            " Add an axis for the channel: feature[..., None]." if config.channel_axis == 2 else " Use feature[None]."
        )
    else:
        advice = " Use the config that the feature was computed with."
    fits = values.ndim == 3 and np.delete(values.shape, [config.frame_axis, config.channel_axis]) == [config.n_bins]
    if not fits:
        raise ArgumentError(
            f"feature must have the shape [{', '.join(names)}] of its config. Received: shape={values.shape}.{advice}"
        )
    values = np.moveaxis(values, (config.frame_axis, config.channel_axis), (0, -1))
    count = len(config.quantities)
    if values.shape[-1] == 0 or values.shape[-1] % count:
        raise ArgumentError(
            f"feature must have {'channels' if count == 1 else f'{count} channels for each channel of the clip'}. "
            f"Received: shape={np.shape(feature)}."
        )
    return values
