"""Program that prints digests of features. Its arguments are the number of threads, and names of presets.

Without names, the features are those of the pool and of all presets. The number of threads cannot change within a
process, so tests run this program once for each number.
"""

import hashlib
import json
import sys
from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from invariance import POOL, Clip, as_layer_input, layer, transform

from audiopipe import registry
from audiopipe.configs import Config
from audiopipe.configs.presets import presets

# The long clip makes TensorFlow use several threads. The other clips form one batch.
LONG = Clip("noise", 90_000)
BATCH = tuple(Clip(content, 3000) for content in ("noise", "every size", "sparse", "not finite"))


def digest(feature: np.ndarray) -> str:
    """Returns the SHA-256 of the bits, where all NaN count as equal."""
    feature = np.asarray(feature)
    return hashlib.sha256(np.where(np.isnan(feature), np.float32(np.nan), feature).tobytes()).hexdigest()


def digests(configs: Iterable[Config]) -> list[str]:
    """Returns digests of the layer and the transform of every config."""
    found = []
    for config in configs:
        channels = 1 if config.channels is None else config.channels
        long, *batch = (Clip(clip.content, clip.length, channels).samples() for clip in (LONG, *BATCH))
        found += [digest(layer(config)(as_layer_input(config, clips))) for clips in ([long], batch)]
        compute = transform(config)
        found += [digest(compute(long)), digest(compute(np.stack(batch), lengths=[3000, 2999, 1500, 3000]))]
    return found


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    print(json.dumps(digests(map(registry.get, sys.argv[2:]) if sys.argv[2:] else [*POOL, *presets().values()])))
