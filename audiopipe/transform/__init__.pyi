from .segments import Segments as Segments
from .transform import Transform as Transform

__all__ = [
    "Segments",
    "Transform",
]
