"""
Features before and after normalization
=======================================

A model trains better if every bin of its input has mean 0 and standard deviation 1. The
statistics for this come from the training set, and serving must use the same ones.
audiopipe stores statistics with every feature set, and makes them part of the config.

.. meta::
   :keywords: normalise, normalisation
"""

import tempfile

# sphinx_gallery_thumbnail_number = 3
import matplotlib.pyplot as plt

from audiopipe import FeatureSet, Transform, beam, plotting

# %%
# Statistics of a feature set
# ---------------------------
# ``precompute`` stores the mean, the standard deviation, the minimum and the maximum of
# every bin. Padding does not count.

folder = tempfile.TemporaryDirectory()
beam.precompute("../audio", folder.name, "speech-mel-80", label_from_folder=True)
features = FeatureSet(folder.name)
config, statistics = features.config, features.statistics
print(f"{statistics.count[0, 0]} frames of {len(features)} clips")
print(f"band 10: {statistics.mean[10, 0]:.1f} ± {statistics.std[10, 0]:.1f} dB")

plotting.plot_statistics(statistics, config, title="Seven clips")
plt.show()

# %%
# Statistics show at once whether two parts of a corpus are similar. In this corpus,
# music is louder than the other sounds in nearly all bands.

parts = {label: features.where(label=label).statistics for label in ("music", "audio")}
plotting.plot_statistics(
    {"music": parts["music"], "other sounds": parts["audio"]},
    config,
    title="Music or not",
)
plt.show()

# %%
# Normalize
# ---------
# ``config.normalized(statistics)`` is a config whose feature is ``(x - mean) / std``.
# It has a fingerprint of its own.

normalized = config.normalized(statistics)
print(config.fingerprint[:12], normalized.fingerprint[:12])

# %%
# The upper picture shows the feature in decibels, and the lower picture the normalized
# feature. There, 0 is the middle of the colours and the mean of each bin in the corpus.
# High frequencies, which are quiet in all clips, are now as visible as low ones.

_, axes = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
for ax, (name, shown) in zip(
    axes, {"speech-mel-80": config, "normalized": normalized}.items(), strict=True
):
    transform = Transform(shown)
    plotting.plot_feature(
        transform(transform.read("../audio/speech.flac")), shown, ax, title=name
    )
plt.show()

# %%
# You need no second set. ``normalized`` returns a view that normalizes while it reads,
# and so does ``load(path, normalized)``. Now every bin has mean 0 and standard
# deviation 1.

view = features.normalized(normalized)
print("largest mean:", abs(view.statistics.mean).max().round(4))
print(
    "standard deviations:",
    view.statistics.std.min().round(4),
    "to",
    view.statistics.std.max().round(4),
)
plotting.plot_statistics(view.statistics, normalized, title="Seven clips, normalized")
plt.show()
folder.cleanup()
