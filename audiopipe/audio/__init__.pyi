from .conversion import convert_blocks as convert_blocks
from .conversion import joined as joined
from .opening import Opened as Opened
from .opening import opened as opened
from .reading import duration as duration
from .reading import read as read
from .reading import read_blocks as read_blocks
from .remarks import Remark as Remark

__all__ = [
    "Opened",
    "Remark",
    "convert_blocks",
    "duration",
    "joined",
    "opened",
    "read",
    "read_blocks",
]
