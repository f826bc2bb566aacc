"""Functions that return composed layers, one for each feature, with the argument names of Kapre and Keras."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
