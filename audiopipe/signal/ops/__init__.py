"""The tensor operations that layers share, each bit-stable and with finite gradients.

Bit-stable means that the result for a clip does not depend on the size of the batch, the clip's place in it, the rank,
or the number of threads. Plain TensorFlow operations do not all have this property; each function says why.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
