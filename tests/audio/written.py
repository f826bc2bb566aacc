"""Audio files in memory, and how they are read."""

import io

import numpy as np
import pytest
import soundfile

from audiopipe import audio
from audiopipe.errors import AudioError

RATE = 16000


def noise(frames, channels=1, seed=0):
    """Returns samples, float32 `[time, channels]`."""
    return (0.1 * np.random.default_rng(seed).standard_normal((frames, channels))).astype("float32")


def written(samples, rate=RATE, **kind):
    """Returns the bytes of a file with these samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **kind)
    return file.getvalue()


def decoded(content):
    """Returns what soundfile reads, float32 `[time, channels]`."""
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]


def heard(source, rate=RATE, channels=None, **options):
    """Returns the samples that audiopipe reads, and the texts of its remarks."""
    remarks = []
    samples = audio.read(source, sample_rate=rate, channels=channels, on_remark=remarks.append, **options)
    return samples, [remark.text for remark in remarks]


def refused(source, rate=RATE, **options):
    """Returns the message of the error that reading raises."""
    with pytest.raises(AudioError) as caught:
        heard(source, rate, **options)
    assert caught.value.stage == "decode"
    return str(caught.value)
