from .options import InputOptions as InputOptions
from .scan_report import ScanReport as ScanReport
from .scanning import scan as scan
from .several import SeveralInputs as SeveralInputs
from .source import Source as Source

__all__ = [
    "InputOptions",
    "ScanReport",
    "SeveralInputs",
    "Source",
    "scan",
]
