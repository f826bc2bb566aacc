from .comparison import Comparison as Comparison
from .set_check import Report as Report
from .set_check import verify as verify

__all__ = [
    "Comparison",
    "Report",
    "verify",
]
