"""Contenders of the speed benchmark: audiopipe and other libraries, each as its users would call it."""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import librosa
import numpy as np
import scipy.signal
import tensorflow as tf

from audiopipe import Transform, configs
from benchmarks import definitions
from benchmarks.definitions import Definition, Feature

LAYER, TRANSFORM = "audiopipe layer", "audiopipe Transform"
KAPRE, KERAS = "Kapre", "keras.layers.MelSpectrogram"
SIGNAL, TORCH, LIBROSA, FLOOR = "tf.signal", "torch.stft, product", "librosa", "bare tf.signal.rfft"


@dataclass(frozen=True)
class Contender:
    """Implementation of a feature.

    Args:
        name: Name in tables.
        compute: Function from the contender's input to its output.
        take: Function from clips, float32 `[batch, time]`, to the contender's input.
        give: Function from the contender's output to an array `[batch, frames, bands]`.
        definition: Reference implementation that the contender must agree with.
        in_graph: Whether `compute` consists of TensorFlow operations.
        of_clip: Function like `compute` for one clip. None means that one clip is computed as a batch of one.
        layer: The Keras layer, if the contender is one.
    """

    name: str
    compute: Callable[[Any], Any]
    take: Callable[[np.ndarray], Any]
    give: Callable[[Any], np.ndarray] = np.asarray
    definition: Definition = definitions.feature
    in_graph: bool = True
    of_clip: Callable[[Any], Any] | None = None
    layer: keras.layers.Layer | None = None


def contenders(config: Feature) -> list[Contender]:
    """Returns all installed contenders for a feature, starting with audiopipe's layer."""
    found = [of_layer(config), _transform(config)]
    if importlib.util.find_spec("kapre"):
        found.append(_kapre(config))
    if isinstance(config, configs.MelSpectrogram):
        found += [of_keras(config), _librosa(config)]
    found.append(_signal(config))
    if importlib.util.find_spec("torch"):
        found.append(_torch(config))
    return [*found, _floor(config)]


def of_layer(config: Feature) -> Contender:
    """Returns the composed layer as a contender."""
    layer = config.layer()
    return Contender(LAYER, layer, _with_channel, _without_channel, layer=layer)


def of_keras(config: configs.MelSpectrogram) -> Contender:
    """Returns Keras's layer as a contender."""
    layer = keras.layers.MelSpectrogram(
        fft_length=config.n_fft,
        sequence_stride=config.framing.hop_length,
        sampling_rate=config.sample_rate,
        num_mel_bins=config.n_mels,
        min_freq=config.mel_f_min,
        mag_exp=1.0,
        min_power=config.db_amin,
    )
    return Contender(KERAS, layer, tf.constant, _from_bands_first, definitions.keras_feature, layer=layer)


def set_threads(threads: int) -> None:
    """Sets the number of threads of TensorFlow and torch. Must be called before TensorFlow computes anything."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)


def versions() -> dict[str, str]:
    """Returns the versions of the installed peers."""
    names = ("kapre", "keras", "librosa", "torch")
    return {name: importlib.metadata.version(name) for name in names if importlib.util.find_spec(name)}


def _with_channel(audio: np.ndarray) -> tf.Tensor:
    return tf.constant(audio[..., None])


def _without_channel(features: Any) -> np.ndarray:
    return np.asarray(features)[..., 0]


def _transform(config: Feature) -> Contender:
    transform = Transform(config)
    return Contender(TRANSFORM, transform, _with_channel, _without_channel, of_clip=transform)


def _kapre(config: Feature) -> Contender:
    from kapre import composed

    shared = {"n_fft": config.n_fft, "hop_length": config.framing.hop_length, "sample_rate": config.sample_rate}
    if isinstance(config, configs.MelSpectrogram):
        layer = composed.get_melspectrogram_layer(n_mels=config.n_mels, return_decibel=True, **shared)
    else:
        layer = composed.get_log_frequency_spectrogram_layer(
            log_n_bins=config.log_n_bins, return_decibel=True, **shared
        )
    return Contender(KAPRE, layer, _with_channel, _without_channel, layer=layer)


def _from_bands_first(features: Any) -> np.ndarray:
    return np.swapaxes(np.asarray(features), -1, -2)


def _librosa(config: configs.MelSpectrogram) -> Contender:
    def compute(audio: np.ndarray) -> np.ndarray:
        magnitudes = librosa.feature.melspectrogram(
            y=audio,
            sr=config.sample_rate,
            n_fft=config.n_fft,
            hop_length=config.framing.hop_length,
            n_mels=config.n_mels,
            power=1,
            center=False,
        )
        return np.stack([librosa.power_to_db(clip, amin=config.db_amin, top_db=80) for clip in magnitudes])

    return Contender(LIBROSA, compute, np.asarray, _from_bands_first, in_graph=False)


def _signal(config: Feature) -> Contender:
    bank = tf.constant(definitions.filterbank(config), tf.float32)

    def compute(audio: tf.Tensor) -> tf.Tensor:
        magnitudes = tf.abs(tf.signal.stft(audio, config.n_fft, config.framing.hop_length, config.n_fft))
        bands = tf.maximum(tf.tensordot(magnitudes, bank, 1), config.db_amin)
        values = tf.math.log(bands) * (10 / np.log(10))
        maximum = tf.reduce_max(values, axis=[1, 2], keepdims=True)
        return tf.maximum(values, maximum - config.db_dynamic_range)

    return Contender(SIGNAL, compute, tf.constant)


def _torch(config: Feature) -> Contender:
    import torch

    bank = torch.from_numpy(definitions.filterbank(config).T.astype(np.float32))
    window = torch.from_numpy(scipy.signal.get_window("hann", config.n_fft).astype(np.float32))

    @torch.inference_mode()
    def compute(audio: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            audio, config.n_fft, config.framing.hop_length, window=window, center=False, return_complex=True
        )
        values = 10 * torch.log10(torch.clamp(bank @ spectrum.abs(), min=config.db_amin))
        return torch.maximum(values, torch.amax(values, dim=(1, 2), keepdim=True) - config.db_dynamic_range)

    return Contender(TORCH, compute, torch.from_numpy, _from_bands_first, in_graph=False)


def _floor(config: Feature) -> Contender:
    """Returns the Fourier transform of prepared frames alone: a lower bound for every library."""
    bank = definitions.filterbank(config)

    def take(audio: np.ndarray) -> tf.Tensor:
        return tf.constant(definitions.windowed_frames(config, audio))

    def give(spectrum: Any) -> np.ndarray:
        return definitions.decibels(config, np.abs(np.asarray(spectrum)), bank)

    return Contender(FLOOR, tf.signal.rfft, take, give)
