from .feature_set import FeatureSet as FeatureSet
from .fingerprints import fingerprint_of as fingerprint_of
from .identities import Identity as Identity
from .loading import load as load

__all__ = [
    "FeatureSet",
    "Identity",
    "fingerprint_of",
    "load",
]
