"""
Every feature of one recording
==============================

audiopipe computes ten kinds of features. This page draws each of them for the same
sentence, so that you can choose.

:doc:`/concepts/configs` describes the config classes.
"""

# sphinx_gallery_thumbnail_number = 3
import matplotlib.pyplot as plt

from audiopipe import Transform, configs, plotting

RECORDING = "../audio/speech.flac"
RATE = 16000
FRAMES = {
    "sample_rate": RATE,
    "n_fft": 512,
    "hop_length": 160,
}  # a frame of 32 ms every 10 ms


def draw(config, title):
    """Computes a feature of the recording and draws it."""
    transform = Transform(config)
    plotting.plot_feature(transform(transform.read(RECORDING)), config, title=title)
    plt.show()


# %%
# The recording
# -------------
# A clip is an array of samples, ``[time, channels]``. Full scale is 1.

clip = Transform(configs.MelSpectrogram(**FRAMES)).read(RECORDING)
plotting.plot_clip(clip, RATE, title="A spoken sentence")
plt.show()

# %%
# Magnitudes
# ----------
# ``StftMagnitude`` has one bin for each frequency of the Fourier transform, here 257
# bins from 0 Hz to 8 kHz. Most of the detail of speech is below 4 kHz, in the lower
# half of the picture.

draw(configs.StftMagnitude(**FRAMES, return_decibel=True), "StftMagnitude, in decibels")

# %%
# Mel bands
# ---------
# ``MelSpectrogram`` sums the magnitudes in bands that become wider with frequency, as
# hearing does. It is the usual input of models that are trained from scratch.

draw(
    configs.MelSpectrogram(**FRAMES, n_mels=80, return_decibel=True),
    "MelSpectrogram, in decibels",
)

# %%
# Published front ends differ in the ends of a clip, the window, the filters, the
# logarithm and the normalization. ``LogMel`` has arguments for all of these. Most
# :doc:`presets </gallery/presets>` are ``LogMel`` configs.

draw(configs.LogMel(**FRAMES, n_mels=80), "LogMel, natural logarithm of the power")

# %%
# ``KerasMelSpectrogram`` computes the values of ``keras.layers.MelSpectrogram``.

draw(
    configs.KerasMelSpectrogram(
        sample_rate=RATE, fft_length=512, sequence_stride=160, num_mel_bins=80
    ),
    "KerasMelSpectrogram, in decibels",
)

# %%
# ``WhisperLogMel`` is the input of Whisper. It has 30 seconds of frames, whatever the
# length of the clip, so most of this picture would be padding. ``n_frames`` is the
# number of frames to draw.

whisper = configs.WhisperLogMel()
feature = Transform(whisper)(clip)
n_frames = whisper.valid_frames(len(clip))
print(f"{len(feature)} frames, of which {n_frames} hold audio")
plotting.plot_feature(feature, whisper, n_frames=n_frames, title="WhisperLogMel")
plt.show()

# %%
# Notes
# -----
# ``LogFrequencySpectrogram`` has a fixed number of bins per octave, here one for each
# semitone. A melody that is sung an octave higher moves up by 12 bins. It needs a long
# Fourier transform to tell low notes apart.

draw(
    configs.LogFrequencySpectrogram(
        sample_rate=RATE, n_fft=2048, hop_length=160, log_n_bins=84, return_decibel=True
    ),
    "LogFrequencySpectrogram, in decibels",
)

# %%
# Cepstral coefficients
# ---------------------
# ``Mfcc`` describes the shape of a log-mel spectrum by a few numbers: coefficient 0 is
# the level, coefficient 1 the balance of low and high frequencies, and so on.
# ``deltas`` adds their rate of change.

draw(configs.Mfcc(**FRAMES, n_mels=40, n_mfcc=20), "Mfcc")

# %%
# Phase and complex values
# ------------------------
# ``StftMagPhase`` has the magnitude and the phase. The phase is an angle, so its
# colours form a circle. The picture shows only a quarter of a second, because the phase
# changes from frame to frame.

phases = configs.StftMagPhase(**FRAMES, return_decibel=True)
vowel = clip[RATE // 4 : RATE // 2]
plotting.plot_feature(
    Transform(phases)(vowel), phases, start=0.25, title="StftMagPhase"
)
plt.show()

# %%
# ``Stft`` has the real and the imaginary part. It loses nothing: the inverse transform
# returns the recording.

draw(configs.Stft(**FRAMES), "Stft")

# %%
# The waveform itself
# -------------------
# Wav2Vec2, HuBERT and WavLM take samples with mean 0 and standard deviation 1.
# ``NormalizedWaveform`` normalizes each clip in this way.

draw(configs.NormalizedWaveform(sample_rate=RATE), "NormalizedWaveform")
