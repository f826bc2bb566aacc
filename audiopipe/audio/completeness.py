"""What is lost of a clip: whether it is read with a remark, or refused."""

import dataclasses
from collections.abc import Callable

from audiopipe.audio.parts import Loss
from audiopipe.audio.remarks import Remark
from audiopipe.errors import AudioError

# A clip that lacks less than both is read. More cannot be a writer's carelessness.
TOLERATED_SHARE = 0.01
TOLERATED_SECONDS = 1.0
ADVICE = "Download or record it again, or read it up to the fault with accept_truncated=True (--accept-truncated)."


@dataclasses.dataclass
class Report:
    """Losses of one clip.

    Attributes:
        name: Name of the source in error messages.
        accept_truncated: Whether to read clips whatever they lack.
        on_remark: Function that receives the remarks.
        refused: The first loss that is too large, or None.
        noted: The first remark, or None.
    """

    name: str
    accept_truncated: bool
    on_remark: Callable[[Remark], None]
    refused: str | None = None
    noted: str | None = None

    def note(self, text: str) -> None:
        """Makes a remark."""
        self.noted = self.noted or text
        self.on_remark(Remark("decode", text))

    def lose(self, loss: Loss, seconds: float) -> None:
        """Makes a remark about a loss, or remembers it as the reason to refuse the clip.

        Args:
            loss: The loss.
            seconds: Duration of what was decoded of the part that has the loss.
        """
        if self.accept_truncated or is_tolerable(loss, seconds):
            self.note(loss.text)
        else:
            self.refused = self.refused or loss.text

    def finish(self, received: int) -> None:
        """Raises the error about a loss that is too large, or that left nothing.

        Args:
            received: Number of samples that were decoded.

        Raises:
            AudioError: If there was one. Its stage is `decode`.
        """
        reason = self.refused if received else self.refused or self.noted
        if reason is not None:
            advice = ADVICE if received else "Download or record it again."
            raise AudioError(f"The audio in {self.name} is damaged: {reason}. {advice}", stage="decode")


def is_tolerable(loss: Loss, seconds: float) -> bool:
    """Returns whether a loss is less than 1 % and less than 1 s of the promised duration.

    Example:
        >>> is_tolerable(Loss("the data chunk has 513000 of 513300 bytes", 300, 513000), seconds=16.0)
        True
        >>> is_tolerable(Loss("the last Ogg page is incomplete"), seconds=16.0)
        False
    """
    if loss.lost is None or not loss.present or seconds <= 0:
        return False
    share = loss.lost / (loss.lost + loss.present)
    return share < TOLERATED_SHARE and seconds * loss.lost / loss.present < TOLERATED_SECONDS
