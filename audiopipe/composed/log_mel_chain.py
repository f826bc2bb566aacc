"""Layers of log-mel spectrograms, in the order of the computation."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.layers import (
    STFT,
    ApplyFilterbank,
    Chunk,
    ClipNormalization,
    CutFrames,
    EdgePadding,
    Gain,
    Logarithm,
    Magnitude,
    MagnitudeToDecibel,
    PadFrames,
    PowerSpectrum,
    PreEmphasis,
    StackFrames,
    Standardize,
)
from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format
from audiopipe.runtime import forks
from audiopipe.signal import log_mel


class LogMelChain:
    """Layers of a log-mel spectrogram. A subclass can add layers after the logarithm.

    Args:
        values: Arguments, as `audiopipe.signal.log_mel.resolve` returns them.
        input_data_format: Data format of the waveform, or `"default"`.
        output_data_format: Data format of the feature, or `"default"`.
        name: Name of the composed layer, with which the names of all layers begin.
        warn_of_empty_bands: Whether to warn of mel bands that reach no frequency bin.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        input_data_format: str,
        output_data_format: str,
        name: str,
        warn_of_empty_bands: bool = True,
    ):
        self.values = values
        self.name = name
        self.input_data_format = resolve_data_format("input_data_format", input_data_format)
        self.output_data_format = resolve_data_format("output_data_format", output_data_format)
        self._warns = warn_of_empty_bands

    def layers(self) -> list[AudioLayer]:
        """Returns all layers, first to last."""
        masked = self.values["masked_frames"]
        of_frames = [*self._spectrum(), *self._logarithm(), *self.after_logarithm()]
        of_clips = [*self.before_normalization(), *self._normalization()]
        cut = [self.on_output(CutFrames, "cut", count=masked)] if masked else []
        return [*self._waveform(), *of_frames, *cut, *of_clips, *self._rows([*of_frames, *of_clips])]

    def after_logarithm(self) -> list[AudioLayer]:
        """Returns layers that compute each frame on its own, after the logarithm."""
        return []

    def before_normalization(self) -> list[AudioLayer]:
        """Returns layers that compute a frame from its neighbours, before the normalization."""
        return []

    def _waveform(self) -> list[AudioLayer]:
        """Returns the layers from a waveform to a waveform."""
        values, layers = self.values, []
        if values["clip_seconds"] is not None:
            n_samples = log_mel.clip_samples(values["clip_seconds"], values["sample_rate"])
            fill = "zeros" if values["short_clips"] == "pad" else "repeat"
            layers.append(self.on_input(Chunk, "clip", n_samples=n_samples, fill=fill, longer=values["long_clips"]))
        if values["gain"] != 1:
            layers.append(self.on_input(Gain, "gain", factor=values["gain"]))
        if values["preemphasis_of"] == "waveform":
            layers.append(self.on_input(PreEmphasis, "preemphasis", coefficient=values["preemphasis"]))
        framing = log_mel.edge_framing(values)
        if not framing.is_plain:
            layers.append(self.on_input(EdgePadding, "edges", **dataclasses.asdict(framing)))
        return layers

    def _spectrum(self) -> list[AudioLayer]:
        """Returns the layers from a waveform to mel bands."""
        values = self.values
        stft = STFT(
            n_fft=values["n_fft"],
            win_length=values["win_length"],
            hop_length=values["hop_length"],
            window_name=f"{values['window']}_window",
            input_data_format=self.input_data_format,
            output_data_format=self.output_data_format,
            periodic=values["periodic"],
            remove_dc_offset=values["remove_dc_offset"],
            preemphasis=values["preemphasis"] if values["preemphasis_of"] == "frame" else 0.0,
            name=f"{self.name}_stft",
        )
        spectrum: AudioLayer
        if values["power"] == 2:
            spectrum = PowerSpectrum(name=f"{self.name}_power")
        else:
            spectrum = Magnitude(values["magnitude_offset"], name=f"{self.name}_magnitude")
        filterbank = {
            "sample_rate": values["sample_rate"],
            "n_freq": values["n_fft"] // 2 + 1,
            "n_mels": values["n_mels"],
            "f_min": values["f_min"],
            "f_max": values["f_max"],
            "htk": values["mel_scale"] == "htk",
            "norm": values["mel_norm"],
            "n_fft": values["n_fft"],
            "triangles": values["mel_triangles"],
            "warn_of_empty": self._warns,
        }
        return [
            stft,
            spectrum,
            self.on_output(ApplyFilterbank, "filterbank", type="mel", filterbank_kwargs=filterbank),
        ]

    def _logarithm(self) -> list[AudioLayer]:
        values, log = self.values, self.values["log"]
        if log is None:
            return []
        name = f"{self.name}_log"
        if values["top_db"] is not None:
            return [MagnitudeToDecibel(1.0, values["log_floor"], values["top_db"], name=name)]
        base, multiplier = ("e", 1.0) if log == log_mel.NATURAL else ("10", 10.0 if log == log_mel.DECIBEL else 1.0)
        limits = {"floor": values["log_floor"], "factor": values["log_factor"], "offset": values["log_offset"]}
        return [Logarithm(base, multiplier, **limits, name=name)]

    def _normalization(self) -> list[AudioLayer]:
        if self.values["normalization"] is None:
            return []
        arguments = {name: self.values[name] for name in ("ddof", "std_epsilon", "variance_epsilon")}
        return [self.on_output(ClipNormalization, "normalization", **arguments)]

    def _rows(self, of_silence: list[AudioLayer]) -> list[AudioLayer]:
        """Returns the layers from frames to the rows of the feature.

        Args:
            of_silence: The layers from the samples of a frame to the input of these layers.
        """
        values, layers = self.values, []
        masked, stacked, fixed = (values[f"{kind}_frames"] for kind in ("masked", "stack", "fixed"))
        center, scale = values["center_value"], values["scale_value"]
        padding = np.zeros(0)
        if masked or stacked > 1 or fixed:
            given = values["padding_value"]
            padding = self._silence(of_silence) if given is None else np.array([given], of_silence[0].compute_dtype)
        if masked:
            layers.append(self.on_output(PadFrames, "mask", count=masked, value=_plain(padding)))
        if stacked > 1:
            layers.append(self.on_output(StackFrames, "stack", count=stacked, value=_plain(padding)))
        if (center, scale) != (0.0, 1.0):
            layers.append(self.on_output(Standardize, "affine", mean=center, std=scale))
        if fixed:
            padding = np.tile(log_mel.standardized(padding, center, scale), stacked)
            layers.append(self.on_output(PadFrames, "fix", n_frames=fixed, value=_plain(padding)))
        return layers

    def _silence(self, layers: list[AudioLayer]) -> np.ndarray:
        """Returns the values of a silent frame for each bin, as the layers compute it."""
        forks.check()
        samples = [1, self.values["win_length"], 1]
        if self.input_data_format == "channels_first":
            samples = [1, 1, self.values["win_length"]]
        with tf.init_scope():  # a layer may be made in the graph of a tf.data map
            frame = tf.zeros(samples, layers[0].compute_dtype)
            for layer in layers:
                frame = layer(frame)
            return np.ravel(frame.numpy())

    def on_input(self, layer: Callable[..., AudioLayer], suffix: str, **arguments: Any) -> AudioLayer:
        """Returns a layer of a waveform."""
        return layer(data_format=self.input_data_format, name=f"{self.name}_{suffix}", **arguments)

    def on_output(self, layer: Callable[..., AudioLayer], suffix: str, **arguments: Any) -> AudioLayer:
        """Returns a layer of a spectrogram."""
        return layer(data_format=self.output_data_format, name=f"{self.name}_{suffix}", **arguments)


def _plain(padding: np.ndarray) -> float | list[float]:
    """Returns the padding of all bins as a number if it is the same for all, and without negative zeros."""
    values = (padding + 0.0).tolist()
    return values[0] if len(set(values)) == 1 else values
