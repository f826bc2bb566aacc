"""How long a mel spectrogram in decibels takes, here and in other libraries.

    python -m benchmarks.features [--seconds 10] [--batch 16] [--rounds 15]

All contenders compute the same feature from the same clips with the same number of threads, in turn, round by round in
one run, so that a busy machine slows all of them. Quote the ratios, not the milliseconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import librosa
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from audiopipe import Transform, configs
from audiopipe.configs import MelSpectrogram

SETTINGS = {
    "2048/512/128 at 22.05 kHz": configs.MelSpectrogram(n_fft=2048, hop_length=512, n_mels=128, return_decibel=True),
    "400/160/80 at 16 kHz": configs.MelSpectrogram(
        sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True
    ),
}
TOLERANCE_DECIBEL = 1e-2


def contenders(config: MelSpectrogram, batch: tf.Tensor) -> dict[str, Callable[[], np.ndarray]]:
    """Functions that compute the feature of a batch `[batch, time, 1]`, and return `[batch, frames, mels]`."""
    layer = config.layer()
    in_graph = tf.function(lambda clips: tf.squeeze(layer(clips), -1))
    transform = Transform(config)
    peer = keras.layers.MelSpectrogram(
        fft_length=config.n_fft,
        sequence_stride=config.hop_length,
        sequence_length=config.win_length,
        sampling_rate=config.sample_rate,
        num_mel_bins=config.n_mels,
        min_freq=config.mel_f_min,
        max_freq=config.mel_f_max,
    )
    peer_in_graph = tf.function(lambda clips: peer(tf.squeeze(clips, -1)))

    def with_librosa() -> np.ndarray:
        magnitudes = librosa.feature.melspectrogram(
            y=batch.numpy()[..., 0],
            sr=config.sample_rate,
            n_fft=config.n_fft,
            hop_length=config.framing.hop_length,
            n_mels=config.n_mels,
            power=1,
            center=False,
        )
        decibels = 10 * np.log10(np.maximum(magnitudes, config.db_amin))
        floor = decibels.max(axis=(1, 2), keepdims=True) - config.db_dynamic_range
        return np.maximum(decibels, floor).transpose(0, 2, 1)

    return {
        "audiopipe layer in a tf.function": lambda: in_graph(batch).numpy(),
        "audiopipe Transform": lambda: transform(batch).numpy()[..., 0],
        "audiopipe layer, eager": lambda: layer(batch).numpy()[..., 0],
        "keras.layers.MelSpectrogram in a tf.function": lambda: peer_in_graph(batch).numpy(),
        "librosa": with_librosa,
    }


def measure(functions: dict[str, Callable[[], np.ndarray]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round, after two rounds that do not count.

    Every round begins with another one, for what runs before leaves caches and memory in a state of its own.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number in range(rounds + 2):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            functions[name]()
            if number >= 2:
                times[name].append(time.perf_counter() - started)
    return times


def check(functions: dict[str, Callable[[], np.ndarray]]) -> None:
    """Raise an error unless audiopipe and librosa agree; Keras's decibels are of powers and only of like shape."""
    difference = np.abs(functions["audiopipe layer in a tf.function"]() - functions["librosa"]()).max()
    if difference > TOLERANCE_DECIBEL:
        raise AssertionError(f"The contenders differ by {difference} dB.")


def main() -> None:
    """Run the benchmark and print a table for each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--batch", type=int, default=16, help="clips of a batch")
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count")
    arguments = parser.parse_args()
    console = Console()
    for title, config in SETTINGS.items():
        samples = round(arguments.seconds * config.sample_rate)
        noise = np.random.default_rng(0).standard_normal((arguments.batch, samples, 1)) * 0.1
        functions = contenders(config, tf.constant(noise, tf.float32))
        check(functions)
        times = measure(functions, arguments.rounds)
        ours = times["audiopipe layer in a tf.function"]
        table = Table("", "ms a clip", "of audiopipe's layer", title=f"{title}, batch of {arguments.batch}")
        for name, seconds in times.items():
            ratios = sorted(other / mine for other, mine in zip(seconds, ours, strict=True))
            spread = f"{statistics.median(ratios):.2f}x ({ratios[0]:.2f} .. {ratios[-1]:.2f})"
            table.add_row(name, f"{1000 * statistics.median(seconds) / arguments.batch:.2f}", spread)
        console.print(table)


if __name__ == "__main__":
    main()
