"""Test audio: FLAC files of noise with the envelope, the spectrum and the file size of read speech."""

import csv
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000
SYLLABLES_PER_SECOND = 4.0
LEVEL = 0.06  # FLAC files become as large as those of read speech at this rate, 16 to 20 kB per second


def speech_like(draw: np.random.Generator, seconds: float) -> np.ndarray:
    """Returns noise with syllables, pauses and a spectrum that falls with frequency: float32 `[time]`."""
    size = round(seconds * SAMPLE_RATE)
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    tilt = 1 / (1 + (frequencies / 500) ** 2) ** 0.75 * (frequencies > 60)
    noise = np.fft.irfft(np.fft.rfft(draw.standard_normal(size)) * tilt, size)
    points = np.arange(0, seconds + 1, 0.5 / SYLLABLES_PER_SECOND)
    loudness = draw.uniform(0, 1, len(points)) * (draw.uniform(0, 1, len(points)) > 0.2)
    envelope = np.interp(np.arange(size) / SAMPLE_RATE, points, loudness)
    return (LEVEL * noise / noise.std() * (envelope + 0.003)).astype(np.float32)


def write(folder: Path, clips: int, seconds: float = 10.0) -> list[Path]:
    """Writes clips as FLAC files of 16 bits at 16 kHz and returns their paths."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    paths = [folder / f"{clip:05d}.flac" for clip in range(clips)]
    for path in paths:
        soundfile.write(path, speech_like(draw, seconds), SAMPLE_RATE, "PCM_16")
    return paths


def write_manifest(path: Path, clips: list[Path], count: int) -> Path:
    """Writes a manifest of `count` lines that repeats the clips in order.

    Every line has a unique id, so that a job treats repetitions as different clips.
    """
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "path"])
        lines.writerows((f"{number:08d}", clips[number % len(clips)]) for number in range(count))
    return path
