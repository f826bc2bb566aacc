from .checking import check as check
from .feature_check import FeatureCheck as FeatureCheck
from .loading import load_model as load_model

__all__ = [
    "FeatureCheck",
    "check",
    "load_model",
]
