from .scanning import scan as scan
from .source import Source as Source

__all__ = [
    "Source",
    "scan",
]
