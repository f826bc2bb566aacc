from .comparison import Comparison as Comparison
from .drift import Drift as Drift
from .drift import compare_statistics as compare_statistics
from .report import Report as Report
from .set_check import verify as verify

__all__ = [
    "Comparison",
    "Drift",
    "Report",
    "compare_statistics",
    "verify",
]
