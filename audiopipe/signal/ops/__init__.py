"""Tensor operations that layers share. They are bit-stable and have finite gradients.

Bit-stable means that the result for a clip does not depend on the batch size, the clip's position in the batch, the
rank, or the number of threads. Not every TensorFlow operation has this property; each function here explains why.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
