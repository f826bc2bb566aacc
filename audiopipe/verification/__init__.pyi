from .comparison import Comparison as Comparison
from .report import Report as Report
from .set_check import verify as verify

__all__ = [
    "Comparison",
    "Report",
    "verify",
]
