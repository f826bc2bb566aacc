from .bucketed_batches import bucketed_batch as bucketed_batch
from .clips import from_audio as from_audio
from .events import frame_targets as frame_targets
from .padded_batches import padded_batch as padded_batch
from .random_crops import random_crop as random_crop
from .resume_epochs import ResumeEpochs as ResumeEpochs
from .targets import class_names as class_names
from .targets import multi_hot as multi_hot
from .targets import one_hot as one_hot
from .windows import sliding_windows as sliding_windows

__all__ = [
    "ResumeEpochs",
    "bucketed_batch",
    "class_names",
    "frame_targets",
    "from_audio",
    "multi_hot",
    "one_hot",
    "padded_batch",
    "random_crop",
    "sliding_windows",
]
