from .clip_plot import plot_clip as plot_clip
from .comparison_plot import plot_comparison as plot_comparison
from .feature_plot import plot_feature as plot_feature
from .filterbank_plot import plot_filterbank as plot_filterbank
from .reports.writing import write_report as write_report
from .statistics_plot import plot_statistics as plot_statistics

__all__ = [
    "plot_clip",
    "plot_comparison",
    "plot_feature",
    "plot_filterbank",
    "plot_statistics",
    "write_report",
]
