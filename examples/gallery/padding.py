"""
Padding and masks
=================

A batch is one array, so clips of different lengths are padded. Padding must not change
the features of a clip, and a model should not learn from padding. The example has three
clips: a sentence, its first two seconds and its first second.
"""

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from audiopipe import Transform, plotting, tfdata

mel = Transform("speech-mel-80")
config = mel.config
clip = mel.read("../audio/speech.flac")
clips = [clip, clip[:32000], clip[:16000]]

# %%
# Pad with silence, not with zeros
# --------------------------------
# ``tfdata.padded_batch`` pads with ``config.padding``. For a feature in decibels this
# is silence, here -50 dB. With ``mask=True``, it adds a mask, which is True for frames
# with audio.

elements = tf.data.Dataset.from_generator(
    lambda: ({"audio": clip} for clip in clips),
    output_signature={"audio": tf.TensorSpec([None, 1])},
)
[batch] = tfdata.padded_batch(elements.map(mel), 3, config, mask=True)
print({name: tuple(value.shape) for name, value in batch.items()})
print("padding:", config.padding)

# %%
# The left pictures show this batch. The right pictures show the same batch padded with
# zeros. 0 dB is as loud as the loudest vowel, so a model would hear a loud noise at the
# end of each short clip.

feature, mask = batch["feature"].numpy(), batch["mask"].numpy()
zeros = np.where(mask[..., None, None], feature, 0.0)
_, axes = plt.subplots(3, 2, figsize=(10, 8.5), layout="constrained", sharex=True)
for row in range(3):
    for column, (name, padded) in enumerate(
        {"silence": feature, "zeros": zeros}.items()
    ):
        title = f"clip {row}, padded with {name}"
        plotting.plot_feature(
            padded[row],
            config,
            axes[row, column],
            title=title,
            value_range=(-50, 0),
            colorbar=column == 1,
        )
plt.show()

# %%
# The mask
# --------
# Pass the mask to the loss or to pooling layers, so that only real frames count.

_, ax = plt.subplots(figsize=(8, 2), layout="constrained")
ax.imshow(mask, aspect="auto", cmap="cividis", interpolation="none")
ax.set(
    xlabel="frame",
    ylabel="clip",
    yticks=range(3),
    title="mask: True (yellow) where a frame holds audio",
)
plt.show()

mean = (feature * mask[..., None, None]).sum(axis=(1, 2, 3)) / (
    mask.sum(axis=1) * config.n_bins
)
print("level of each clip with the mask:   ", mean.round(1), "dB")
print(
    "level of each clip without the mask:", feature.mean(axis=(1, 2, 3)).round(1), "dB"
)

# %%
# Padded waveforms
# ----------------
# If you pad samples instead, pass ``lengths``. audiopipe then ignores all samples
# beyond the length of a clip. The features have the same bits as those of the single
# clips. With ``n_frames``, ``plot_feature`` draws no padding.

samples = np.zeros((3, len(clip), 1), "float32")
for row, alone in enumerate(clips):
    samples[row, : len(alone)] = alone
lengths = np.array([len(alone) for alone in clips])
from_samples = mel(samples, lengths=lengths)
print("same bits:", np.array_equal(from_samples, feature))

plotting.plot_feature(
    from_samples[2],
    config,
    n_frames=mel.n_frames(lengths[2]),
    title="The shortest clip, without its padding",
)
plt.show()
