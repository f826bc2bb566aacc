"""
Augmentation
============

Augmentation changes the training clips a little in every epoch, so that a model learns
what does not matter. Augment features after you read them, and only in training. The
stored features stay exact.
"""

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from audiopipe import Transform, plotting, tfdata
from audiopipe.layers import SpecAugment

mel = Transform("speech-mel-80")
config = mel.config
clip = mel.read("../audio/speech.flac")
feature = mel(clip)

# %%
# SpecAugment
# -----------
# ``SpecAugment`` hides stripes of bands and of frames (`Park et al. 2019
# <https://arxiv.org/abs/1904.08779>`_). Each example of a batch gets masks of its own,
# and every call draws new ones. Mask a feature in decibels with silence.

augment = SpecAugment(
    freq_mask_param=15,
    time_mask_param=50,
    n_freq_masks=2,
    n_time_masks=2,
    mask_value=config.silence,
    seed=3,
)
batch = np.stack([feature] * 3)
masked = augment(batch, training=True).numpy()
drawn = {
    "the clip": feature,
    "first draw": masked[0],
    "second draw": masked[1],
    "third draw": masked[2],
}
plotting.plot_comparison(
    {name: (shown, config) for name, shown in drawn.items()}, title="SpecAugment"
)
plt.show()

# %%
# Outside of training, the layer does nothing, so it can stay in the model that you
# serve.

print("same without training:", np.array_equal(augment(feature[None])[0], feature))

# %%
# The default value of the masks is 0. This is right for normalized features, where 0 is
# the mean. In decibels, 0 is loud.

loud = SpecAugment(15, 50, 2, 2, seed=3)(batch, training=True).numpy()
pairs = {
    "masked with silence": (masked[0], config),
    "masked with 0 dB, which is loud": (loud[0], config),
}
plotting.plot_comparison(pairs)
plt.show()

# %%
# Random crops
# ------------
# ``tfdata.random_crop`` takes another second of each clip in every epoch.
# ``start_frame`` is the first frame of the crop. You need it for labels of single
# frames.

clips = tf.data.Dataset.from_tensors({"audio": clip}).map(mel).repeat(3)
_, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
for ax, crop in zip(axes, tfdata.random_crop(clips, 100, config, seed=1), strict=True):
    start = config.frame_times(len(feature))[crop["start_frame"]]
    plotting.plot_feature(
        crop["feature"].numpy(),
        config,
        ax,
        start=start,
        title=f"from {start:.2f} s",
        colorbar=ax is axes[-1],
    )
plt.show()
