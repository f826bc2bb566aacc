from .feature_plot import plot_feature as plot_feature

__all__ = [
    "plot_feature",
]
