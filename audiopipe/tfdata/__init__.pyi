from .bucketed_batches import bucketed_batch as bucketed_batch
from .clips import from_audio as from_audio
from .padded_batches import padded_batch as padded_batch
from .random_crops import random_crop as random_crop
from .resume_epochs import ResumeEpochs as ResumeEpochs
from .windows import sliding_windows as sliding_windows

__all__ = [
    "ResumeEpochs",
    "bucketed_batch",
    "from_audio",
    "padded_batch",
    "random_crop",
    "sliding_windows",
]
