from .clips import from_audio as from_audio

__all__ = ["from_audio"]
