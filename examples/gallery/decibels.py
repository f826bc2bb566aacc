"""
Decibels and silence
====================

A decibel measures a ratio of two levels. To compare two features in decibels, you must
know three things: whether the logarithm is taken of magnitudes or of powers, what 0 dB
is, and what happens to silence.
"""

# sphinx_gallery_thumbnail_number = 3
import matplotlib.pyplot as plt
import numpy as np

from audiopipe import Transform, configs, plotting

RATE = 16000
FRAMES = {"sample_rate": RATE, "n_fft": 512, "hop_length": 160}
mel = Transform(configs.MelSpectrogram(**FRAMES, n_mels=80, return_decibel=True))
clip = mel.read("../audio/speech.flac")

# %%
# Of magnitudes or of powers
# --------------------------
# ``MelSpectrogram`` takes ``10 * log10`` of magnitudes, as Kapre does.
# ``LogMel(log="db")`` takes it of powers, as librosa and torchaudio do. A power is the
# square of a magnitude, so a clip at a tenth of the amplitude is 10 dB lower in the
# first feature and 20 dB lower in the second. The colour bars say which decibel they
# show.

BANDS = {"n_mels": 80, "mel_scale": "slaney", "mel_norm": "slaney"}
powers = Transform(configs.LogMel(**FRAMES, **BANDS, log="db", top_db=80.0))
features = {}
for name, transform in {"MelSpectrogram": mel, "LogMel": powers}.items():
    features[name] = (transform(clip), transform.config)
    difference = transform(clip).max() - transform(0.1 * clip).max()
    print(f"{name} of a tenth of the amplitude: {difference:.1f} dB lower")
plotting.plot_comparison(features, title="Decibels of magnitudes and of powers")
plt.show()

# %%
# Dynamic range
# -------------
# Rooms and microphones are never silent, and a model should not learn their noise.
# ``db_dynamic_range`` (``top_db`` in librosa) raises everything that is further below
# the maximum of the clip to one floor.

ranges = {}
for decibels in (20.0, 40.0, 80.0):
    config = configs.MelSpectrogram(
        **FRAMES, n_mels=80, return_decibel=True, db_dynamic_range=decibels
    )
    ranges[f"dynamic range of {decibels:.0f} dB"] = (Transform(config)(clip), config)
plotting.plot_comparison(ranges)
plt.show()

# %%
# audiopipe uses the maximum of each clip, never of the batch. The quiet clip below is
# the same recording at a thousandth of the amplitude. In a batch with the loud clip, it
# has the same bits as alone.

quiet = 1e-3 * clip
batch = mel(np.stack([clip, quiet]))
print("same bits alone and in the batch:", np.array_equal(batch[1], mel(quiet)))
plotting.plot_comparison(
    {"loud": (batch[0], mel.config), "quiet": (batch[1], mel.config)}, title="One batch"
)
plt.show()

# %%
# If a library uses the maximum of the batch instead, the loud clip erases the quiet
# one:

floor = batch.max() - 40.0  # a dynamic range of 40 dB, of the batch
erased = np.maximum(batch[1], floor)
print(f"{np.mean(erased == floor):.0%} of the quiet clip is at the floor")

# %%
# Silence
# -------
# The logarithm of 0 is infinite, so values below ``db_amin`` are raised to it first.
# The value of an all-zero clip is ``config.silence``. It is the lowest value that the
# feature can have, and what batches are padded with.

silence = mel(np.zeros(RATE, "float32"))
print("An all-zero clip:", silence.min(), "to", silence.max(), "dB")
print("config.silence:", mel.config.silence, "dB")
print(f"The maximum of the sentence, for comparison: {mel(clip).max():.1f} dB")
