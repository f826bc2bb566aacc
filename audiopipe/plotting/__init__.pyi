from .feature_plot import plot_feature as plot_feature
from .statistics_plot import plot_statistics as plot_statistics

__all__ = [
    "plot_feature",
    "plot_statistics",
]
