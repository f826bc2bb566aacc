"""The index of a feature set: a Parquet file with one row per record, in the order of the records."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
