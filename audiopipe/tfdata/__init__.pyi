from .clips import from_audio as from_audio
from .events import frame_targets as frame_targets
from .targets import class_names as class_names
from .targets import multi_hot as multi_hot
from .targets import one_hot as one_hot

__all__ = ["class_names", "frame_targets", "from_audio", "multi_hot", "one_hot"]
