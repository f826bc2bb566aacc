from .bucketed_batches import bucketed_batch as bucketed_batch
from .clips import from_audio as from_audio
from .padded_batches import padded_batch as padded_batch

__all__ = ["bucketed_batch", "from_audio", "padded_batch"]
