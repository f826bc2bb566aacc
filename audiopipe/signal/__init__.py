"""The mathematics below the layers: NumPy for what is computed once, TensorFlow for tensors."""

__all__ = [
    "filterbank_blocks",
    "filterbanks",
    "framing",
    "ops",
    "real_arithmetic",
    "reconstruction",
    "whisper",
    "windows",
]
