"""
Every preset of one recording
=============================

A preset is the front end of a published model, by name: ``registry.get("ast")``. A
model works only with the front end that it was trained with. Nearly all front ends are
called "log-mel spectrogram", but they differ in their sample rates, frames, bands,
logarithms and normalization.

:doc:`/reference/presets` says which model needs which preset.
"""

# sphinx_gallery_thumbnail_number = 7
import matplotlib.pyplot as plt

from audiopipe import Transform, plotting, registry

RECORDING = "../audio/speech.flac"
SECONDS = 1.5
plt.rcParams["font.size"] = 9


def draw_family(names):
    """Draws the first second and a half with each preset, on a scale of its own."""
    figure = plt.figure(figsize=(8, 2.8 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 1)
    for name, ax in zip(names, axes, strict=True):
        config = registry.get(name)
        transform = Transform(config)
        clip = transform.read(RECORDING)[: int(SECONDS * config.sample_rate)]
        n_frames = config.valid_frames(len(clip))  # without padding
        plotting.plot_feature(
            transform(clip), config, ax, n_frames=n_frames, title=name
        )
    plt.show()


# %%
# audiopipe's own
# ---------------
# These are for models that you train from scratch.

draw_family(["speech-mel-80", "music-mel-128", "music-log-84"])

# %%
# Whisper
# -------
# Whisper compresses the logarithm of the power to values that are mostly in -1 to 1.

draw_family(["whisper-80", "whisper-128"])

# %%
# Kaldi and the toolkits that follow it
# -------------------------------------
# Some of these presets scale samples to the range of 16-bit integers. Others keep them
# in -1 to 1.

draw_family(["kaldi-fbank-80", "lhotse-fbank-80", "wenet-80"])

# %%
# NeMo
# ----
# Each bin is normalized over the clip, so all bins have the same mean and the same
# spread.

draw_family(["nemo-mel-80", "nemo-mel-128"])

# %%
# fairseq and its descendants
# ---------------------------
# The features are normalized over the clip. A short silence is far below the mean of
# each bin, so everything else looks pale. SeamlessM4T and Wav2Vec2-BERT stack two
# frames into one row of 160 values.

draw_family(["speech-to-text", "seamless-m4t", "w2v-bert"])

# %%
# Google
# ------
# The audio encoder of Gemma 3n takes the logarithm of magnitudes, and that of LASR
# takes it of powers.

draw_family(["gemma3n-128", "lasr-128"])

# %%
# Audio transformers
# ------------------
# AST subtracts the mean of AudioSet and divides by twice its standard deviation. Its
# feature has 1024 frames, and those after the end of the clip are padding.

draw_family(["ast", "beats"])

# %%
# CLAP
# ----
# CLAP repeats a short clip as often as it fits into ten seconds. The rest is silence.

draw_family(["clap-fused", "clap-unfused"])

# %%
# Tagging
# -------
# PANNs use a sample rate of 32 kHz. musicnn adds 1 before the logarithm, so silence is
# 0.

draw_family(["panns-32k-64", "musicnn-96"])

# %%
# TensorFlow models
# -----------------
# YAMNet and VGGish have the same frames and bands. They add 0.001 and 0.01 before the
# logarithm.

draw_family(["yamnet", "vggish"])

# %%
# Speech synthesis
# ----------------
# Vocoders turn these spectrograms back into sound.

draw_family(
    ["tacotron2-80", "hifigan-22k-80", "bigvgan-24k-100", "univnet", "speecht5"]
)

# %%
# Defaults of libraries
# ---------------------
# These presets have the defaults of ``librosa.feature.melspectrogram`` with
# ``power_to_db``, and of ``torchaudio.transforms.MelSpectrogram``. torchaudio takes no
# logarithm, so the picture shows its powers in decibels. The black lines at low
# frequencies are bands that contain no frequency of the Fourier transform.

draw_family(["librosa-mel-128", "torchaudio-mel-128"])
