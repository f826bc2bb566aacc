"""Program that creates the clips in `examples/audio`, with several formats, sample rates and numbers of channels.

    python examples/make_audio.py

All clips are synthesised. espeak-ng speaks the sentence of `speech.flac`; without it, that clip is skipped.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

AUDIO = Path(__file__).parent / "audio"
SENTENCE = "Describe a feature once, and compute it anywhere."


def times(seconds: float, rate: int) -> np.ndarray:
    """Returns the times of the samples, in seconds: float64 `[time]`."""
    return np.arange(round(seconds * rate)) / rate


def chirp(seconds: float, rate: int, low: float, high: float) -> np.ndarray:
    """Returns a tone that rises exponentially from `low` to `high` hertz: float64 `[time]`."""
    t = times(seconds, rate)
    growth = np.log(high / low) / seconds
    return 0.5 * np.sin(2 * np.pi * low * np.expm1(growth * t) / growth)


def pluck(seconds: float, rate: int, frequency: float, seed: int) -> np.ndarray:
    """Returns a plucked string after Karplus and Strong (Computer Music Journal 7(2), 1983): float64 `[time]`."""
    period = round(rate / frequency)
    samples = np.zeros(round(seconds * rate))
    samples[:period] = np.random.default_rng(seed).uniform(-0.7, 0.7, period)
    for index in range(period, len(samples)):
        samples[index] = 0.498 * (samples[index - period] + samples[index - period - 1])
    return samples


def chord(seconds: float, rate: int) -> np.ndarray:
    """Returns four strings, plucked one after the other: float64 `[time]`."""
    total = np.zeros(round(seconds * rate))
    for number, frequency in enumerate((110.0, 138.59, 164.81, 220.0)):
        start = round(number * 0.25 * rate)
        total[start:] += 0.4 * pluck(seconds, rate, frequency, seed=number)[: len(total) - start]
    return total


def write(name: str, samples: np.ndarray, rate: int, subtype: str | None = None) -> None:
    """Writes a clip in the format of its file extension."""
    path = AUDIO / name
    path.parent.mkdir(parents=True, exist_ok=True)
    container = "OGG" if path.suffix == ".opus" else None
    soundfile.write(path, samples, rate, subtype=subtype, format=container)


def speak() -> None:
    """Writes a sentence spoken by espeak-ng, if that is installed."""
    if shutil.which("espeak-ng") is None:
        return
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-s", "150", "-w", file.name, SENTENCE], check=True)
        samples, rate = soundfile.read(file.name)
    write("speech.flac", samples, rate)


def main() -> None:
    """Writes all clips."""
    noise = np.random.default_rng(0)
    speak()
    write("chirp.wav", chirp(2.0, 16000, 60, 7500), 16000)
    write("beat.aiff", 0.4 * np.sin(2 * np.pi * 440 * times(1.0, 8000)) * (times(1.0, 8000) % 0.25 < 0.1), 8000)
    music = chord(2.0, 44100)
    write("music/strings.mp3", music, 44100)
    write("music/strings-stereo.ogg", np.stack([music, np.roll(music, 441)], axis=1), 44100)
    write("music/sweep.opus", chirp(1.5, 48000, 100, 20000), 48000, "OPUS")
    three = np.stack([chirp(1.0, 22050, 100 * (1 + c), 8000) for c in range(3)], axis=1)
    write("array/three-channels.wav", three + 0.01 * noise.standard_normal(three.shape), 22050, "FLOAT")


if __name__ == "__main__":
    main()
