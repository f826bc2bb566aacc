"""
Filterbanks
===========

A filterbank sums the bins of a Fourier transform in bands. Libraries use different
bands, so two spectrograms with 80 mel bands may be different features.
"""

import matplotlib.pyplot as plt

from audiopipe import Transform, configs, plotting

RECORDING = "../audio/speech.flac"
FRAMES = {"sample_rate": 16000, "n_fft": 1024, "hop_length": 160}


def draw(**banks):
    """Draws the filters of configs under each other."""
    _, axes = plt.subplots(
        len(banks), 1, figsize=(9, 2.6 * len(banks)), layout="constrained"
    )
    for ax, (name, config) in zip(axes, banks.items(), strict=True):
        plotting.plot_filterbank(config, ax, title=name.replace("_", " "))
    plt.show()


# %%
# Two mel scales
# --------------
# The pictures have only 12 bands, so that you can see them. Slaney's scale, the default
# of librosa, is linear below 1 kHz and logarithmic above. HTK's scale, the default of
# torchaudio, is one curve. HTK's bands are narrower at low frequencies.

BANDS = {**FRAMES, "n_mels": 12, "mel_norm": None}
draw(
    Slaney=configs.LogMel(**BANDS, mel_scale="slaney"),
    HTK=configs.LogMel(**BANDS, mel_scale="htk"),
)

# %%
# Same peak or same area
# ----------------------
# Without a norm, all bands have the same peak, so wide bands sum more. With Slaney's
# norm, all bands have the same area, so white noise has the same level in all of them.

slaney = configs.LogMel(**FRAMES, n_mels=12, mel_scale="slaney", mel_norm="slaney")
draw(same_peak=configs.LogMel(**BANDS, mel_scale="slaney"), same_area=slaney)

# %%
# Triangles over hertz or over mels
# ---------------------------------
# In Kaldi and ``tf.signal``, the sides of a triangle are straight lines over mels. Over
# hertz, these sides are curved.

straight, curved = (
    configs.LogMel(**{**BANDS, "n_mels": 5}, mel_triangles=over)
    for over in ("hertz", "mel")
)
draw(straight_over_hertz=straight, straight_over_mels=curved)

# %%
# Bands of notes
# --------------
# ``LogFrequencySpectrogram`` has Gaussian filters, here 3 per octave. On a logarithmic
# axis they all have the same width. The weights of each filter sum to one, so high
# filters, which have more bins of the transform, are lower.

notes = configs.LogFrequencySpectrogram(
    sample_rate=16000, n_fft=8192, log_n_bins=15, log_bins_per_octave=3, log_f_min=220
)
plotting.plot_filterbank(notes, title="LogFrequencySpectrogram, 3 bins per octave")
plt.show()

# %%
# What a model sees
# -----------------
# These pictures show the same frames of the same sentence, with 80 bands each. Pitch
# and vowels appear at different heights. Bands of the same area have smaller weights,
# so their picture is darker.

features = {}
for name, bands in {
    "Slaney, same area": {"mel_scale": "slaney", "mel_norm": "slaney"},
    "HTK, same peak": {"mel_scale": "htk"},
}.items():
    config = configs.LogMel(**FRAMES, n_mels=80, log="db", top_db=80.0, **bands)
    transform = Transform(config)
    features[name] = (transform(transform.read(RECORDING)), config)
plotting.plot_comparison(features, title="The same sentence")
plt.show()
