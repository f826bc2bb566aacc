"""Remarks about clips that were read although something was wrong with them."""

import dataclasses
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from audiopipe.errors import AudioRemark


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """Something noticed about a clip that was read all the same, such as a missing end.

    Attributes:
        stage: The stage that noticed it: `"read"`, `"decode"`, `"resample"` or `"feature"`.
        text: One sentence without the name of the clip and without the final full stop.
        facts: The same for programs, such as how many seconds were left out.
    """

    stage: str
    text: str
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)


def warn_about(name: str | None) -> Callable[[Remark], None]:
    """Returns a function that turns remarks into warnings of class `AudioRemark`.

    Args:
        name: Name of the source in the warnings. If None, they do not name it.
    """
    where = "" if name is None else f"{name}: "

    return lambda remark: warn(f"{where}{remark.text}.")


def warn(text: str) -> None:
    """Issues a warning of class `AudioRemark` that points to the first caller outside audiopipe."""
    warnings.warn(text, AudioRemark, stacklevel=_caller())


def _caller() -> int:
    """Returns the stack level, for a warning of the calling function, of the first function outside audiopipe."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "audiopipe":
        level, frame = level + 1, frame.f_back
    return level
