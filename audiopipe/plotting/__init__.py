"""Figures of clips, features, filterbanks and statistics, drawn with matplotlib.

Each function draws on the axes that it is given, or makes a figure with `matplotlib.pyplot`, which a notebook shows. It
returns the axes, to change labels and limits, or to save the figure: `axes[0].figure.savefig("feature.png")`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
