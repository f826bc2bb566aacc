"""Folders of recordings, some of them damaged."""

import numpy as np
import soundfile
from damaged_audio import KINDS, damage

RATE = 8000


def recorded(folder, count, seconds):
    """Writes clips of noise, `0000.wav` and so on, to a new folder and returns the folder."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(count):
        samples = 0.1 * noise.standard_normal(int(RATE * seconds) + 100 * (number % 7))
        soundfile.write(folder / f"{number:04}.wav", samples, RATE)
    return folder


def damaged(folder, numbers, left=()):
    """Damages clips of a folder, with the ten kinds of damage in turn.

    Args:
        folder: The folder.
        numbers: Numbers of the clips. Their count must be a multiple of ten.
        left: Kinds of damage that are left to the caller.

    Returns:
        The kind of damage of each clip, by id, in the order of the input.
    """
    rng = np.random.default_rng(1)
    kinds = dict(zip((f"{number:04}.wav" for number in numbers), [*KINDS] * (len(numbers) // len(KINDS)), strict=True))
    for name, kind in kinds.items():
        if kind not in left:
            damage(kind, folder / name, rng)
    return kinds
