"""Writes the probe files in `audiopipe/transform/probes`: `python tests/transform/write_probes.py FOLDER`.

The probes are synthesised here, so they have no licence but that of audiopipe. Encoders of other versions write other
bytes, and the features of other files cannot be compared. So the files were written once, with libsndfile 1.2.2, and
stay as they are. A file that replaces one of them needs a new name.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 0.5
SEED = 20261130


def voice(rate: int, noise: np.random.Generator) -> np.ndarray:
    """Returns a vowel that glides, between silence and a tone without noise: float64 `[time]`.

    The harmonics of the vowel fall, so high bins have far less power than low ones, as in speech. Float32 rounds most
    where a bin has hardly any power beside others, as those far from the tone, which are almost empty.
    """
    time = np.arange(int(SECONDS * rate)) / rate
    phase = 2 * np.pi * np.cumsum(110 + 80 * time / SECONDS) / rate
    formants = ((500 + 300 * time / SECONDS, 90), (1500 - 400 * time / SECONDS, 140), (2600, 200))
    vowel = np.zeros_like(time)
    for harmonic in range(1, 40):
        frequency = harmonic * (110 + 80 * time / SECONDS)
        gain = sum(1 / (1 + ((frequency - centre) / width) ** 2) for centre, width in formants) + 0.02
        vowel += np.where(frequency < rate / 2, gain / harmonic, 0) * np.sin(harmonic * phase)
    loudness = np.clip(np.minimum(time - 0.06, SECONDS - 0.08 - time) / 0.08, 0, 1) ** 2
    sound = vowel * loudness + 0.002 * noise.standard_normal(len(time)) * (0.05 + loudness)
    sound[time < 0.02] = 0.0  # digital silence
    tone = time > SECONDS - 0.08
    sound[tone] = 0.3 * np.sin(2 * np.pi * (900 + 500 * time[tone]) * time[tone])
    return sound


def music(rate: int, noise: np.random.Generator) -> np.ndarray:
    """Returns three decaying notes with strokes of noise: float64 `[time]`."""
    time = np.arange(int(SECONDS * rate)) / rate
    sound = 1e-4 * noise.standard_normal(len(time))
    for start, note in ((0.02, 220.0), (0.17, 329.6), (0.31, 554.4)):
        since = np.maximum(time - start, 0.0)
        for harmonic in range(1, 9):
            decay = np.exp(-since * (6 + 3 * harmonic)) * (since > 0)
            sound += 0.3 / harmonic**1.5 * decay * np.sin(2 * np.pi * harmonic * note * since)
        sound += 0.1 * noise.standard_normal(len(time)) * np.exp(-since * 90) * (since > 0)
    return sound


def sweep(rate: int, noise: np.random.Generator) -> np.ndarray:
    """Returns a sweep from 60 Hz to 15 kHz over noise that grows: float64 `[time]`."""
    time = np.arange(int(SECONDS * rate)) / rate
    growth = np.log(15000 / 60) / SECONDS
    tone = 0.4 * np.sin(2 * np.pi * 60 * (np.exp(growth * time) - 1) / growth)
    return tone + noise.standard_normal(len(time)) * 10 ** (-5 + 3.5 * time / SECONDS)


def stereo(sound: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """Returns two channels that differ in loudness, delay and noise: float64 `[time, 2]`."""
    second = 0.7 * np.roll(sound, 13) + 3e-4 * noise.standard_normal(len(sound))
    second[:13] = 0
    return np.stack([sound, second], axis=1)


def main(folder: str) -> None:
    noise = np.random.default_rng(SEED)
    formats = (
        ("voice.flac", voice, 16000, {"format": "FLAC", "subtype": "PCM_16"}),
        ("music.mp3", music, 44100, {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
        ("sweep.opus", sweep, 48000, {"format": "OGG", "subtype": "OPUS"}),
    )
    for name, make, rate, encoding in formats:
        samples = stereo(make(rate, noise), noise)
        soundfile.write(Path(folder, name), np.clip(samples, -0.99, 0.99), rate, **encoding)


if __name__ == "__main__":
    main(*sys.argv[1:])
