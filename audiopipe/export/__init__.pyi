from .tflite import to_tflite as to_tflite

__all__ = [
    "to_tflite",
]
