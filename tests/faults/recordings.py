"""Folders of recordings, some of them damaged."""

import numpy as np
import soundfile
from damaged_audio import KINDS, damage

RATE = 8000


def recorded(folder, count, seconds):
    """A folder of clips of noise, `0000.wav` and so on."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(count):
        samples = 0.1 * noise.standard_normal(int(RATE * seconds) + 100 * (number % 7))
        soundfile.write(folder / f"{number:04}.wav", samples, RATE)
    return folder


def damaged(folder, numbers, left=()):
    """Damage clips of a folder in the ten ways in turn.

    Args:
        folder: The folder.
        numbers: Numbers of the clips, a multiple of ten of them.
        left: Kinds of damage that are the caller's to do.

    Returns:
        The kind of each clip, by id, in the order of the input.
    """
    rng = np.random.default_rng(1)
    kinds = dict(zip((f"{number:04}.wav" for number in numbers), [*KINDS] * (len(numbers) // len(KINDS)), strict=True))
    for name, kind in kinds.items():
        if kind not in left:
            damage(kind, folder / name, rng)
    return kinds
