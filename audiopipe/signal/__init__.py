"""Mathematics below the layers. Constants are computed once with NumPy, tensors with TensorFlow."""

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
