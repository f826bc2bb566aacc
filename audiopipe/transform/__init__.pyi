from .segments import Segments as Segments
from .stream import Stream as Stream
from .transform import Transform as Transform

__all__ = [
    "Segments",
    "Stream",
    "Transform",
]
