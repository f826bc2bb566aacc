"""
Windows
=======

A spectrogram multiplies each frame by a window before the Fourier transform. The shape
of the window decides how far a loud tone leaks into its neighbours. Its length decides
whether you see single tones or single moments.
"""

import matplotlib.pyplot as plt
import numpy as np

from audiopipe import Transform, configs, plotting

RATE = 8000
LENGTH = 512
WINDOWS = {
    "rectangular_window": np.ones(LENGTH),
    "hamming_window": np.hamming(LENGTH),
    "hann_window": np.hanning(LENGTH),
    "blackman_window": np.blackman(LENGTH),
}

# %%
# Shape: a narrow peak or little leakage
# --------------------------------------
# The rectangular window does not change the frame. It has the narrowest peak and leaks
# the most. The Blackman window has the widest peak and leaks the least. Most libraries,
# and audiopipe, use the Hann window by default.

figure, (shapes, leaks) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for (name, values), style in zip(WINDOWS.items(), ["-", "--", "-.", ":"], strict=True):
    spectrum = np.abs(np.fft.rfft(values, 32 * LENGTH)) / values.sum()
    shapes.plot(values, style)
    leaks.plot(
        np.arange(len(spectrum)) / 32,
        20 * np.log10(np.maximum(spectrum, 1e-8)),
        style,
        label=name,
    )
shapes.set(
    xlabel="sample of the frame", ylabel="weight", title="Windows of 512 samples"
)
leaks.set(
    xlim=(0, 12),
    ylim=(-110, 5),
    xlabel="distance from the tone (bins)",
    ylabel="leakage (dB)",
)
leaks.set_title("How far a tone leaks")
figure.legend(loc="outside lower center", ncols=4)
plt.show()

# %%
# Two tones show what this means. The tone at 1 kHz is loud, and the one at 1.6 kHz is
# 60 dB below it. The rectangular window and the Hamming window hide the quiet tone,
# because their leakage falls slowly.

time = np.arange(RATE) / RATE
tones = 0.5 * np.sin(2 * np.pi * 1010 * time) + 0.5e-3 * np.sin(2 * np.pi * 1600 * time)
decibels = {"return_decibel": True, "db_amin": 1e-6, "db_dynamic_range": 120.0}
features = {}
for name in WINDOWS:
    config = configs.StftMagnitude(
        sample_rate=RATE, n_fft=256, hop_length=80, window_name=name, **decibels
    )
    features[name] = (Transform(config)(tones.astype("float32")), config)
plotting.plot_comparison(features, title="A loud tone and a quiet one")
plt.show()

# %%
# Length: tones or moments
# ------------------------
# A short window shows when something happens: the single pulses of a voice. A long
# window shows which tones there are: the harmonics of the voice. No window does both.
# Speech models use 25 ms, music models 50 to 100 ms.

lengths = {}
for win_length in (48, 200, 800):
    config = configs.StftMagnitude(
        sample_rate=RATE,
        n_fft=1024,
        win_length=win_length,
        hop_length=20,
        return_decibel=True,
        db_dynamic_range=40.0,
    )
    transform = Transform(config)
    clip = transform.read("../audio/speech.flac")[: RATE * 3 // 4]
    lengths[f"window of {1000 * win_length // RATE} ms"] = (transform(clip), config)
plotting.plot_comparison(lengths, title="The same words with three windows")
plt.show()
