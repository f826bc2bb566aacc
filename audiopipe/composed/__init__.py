"""Composed layers: one function for each feature, with the arguments that users know from Kapre and Keras."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
