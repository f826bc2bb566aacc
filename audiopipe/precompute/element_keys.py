"""Keys of computed clips in pipelines, and which of them a field of the user may not have."""

from collections.abc import Iterable
from typing import Any

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import row_digests
from audiopipe.inputs.metadata_types import RESERVED_NAMES
from audiopipe.transform.entry_names import N_FRAMES, VALID_FRAMES

ID = "id"
REMARKS = "remarks"


def own(feature: str) -> tuple[str, ...]:
    """Returns the keys that have a meaning in computed clips, whether a config adds them or not.

    Args:
        feature: Key of the feature.

    Example:
        >>> own("mel")
        ('id', 'mel', 'n_frames', 'valid_frames', 'mel_digest', 'remarks')
    """
    return (ID, feature, N_FRAMES, VALID_FRAMES, row_digests.name_of(feature), REMARKS)


def check_feature(feature: Any) -> None:
    """Raises an error unless a value can be the key of the feature.

    Raises:
        ArgumentError: If it is no text, empty, or another key.
    """
    others = (ID, N_FRAMES, VALID_FRAMES, REMARKS)
    if not isinstance(feature, str) or not feature or feature in others:
        raise checks.fail("feature", f"the name of a key, and none of {', '.join(others)}", feature)


def check_metadata(names: Iterable[Any], feature: str, argument: str) -> None:
    """Raises an error unless names can be those of metadata columns of computed clips.

    Args:
        names: The names.
        feature: Key of the feature.
        argument: Argument that holds the names, for the error message.

    Raises:
        ArgumentError: If a name is no text, or another key, or reserved for records.

    Example:
        >>> check_metadata(["shape"], "feature", "types")
        Traceback (most recent call last):
            ...
        audiopipe.errors.ArgumentError: types must name metadata columns. Received: 'shape'. Reserved for audiopipe: ...
    """
    reserved = {*own(feature), *RESERVED_NAMES}
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError(
                f"{argument} must have texts as the names of columns. Received: {checks.shown(name, 100)} "
                f"({type(name).__name__}). Rename the column."
            )
        if name in reserved:
            raise ArgumentError(
                f"{argument} must name metadata columns. Received: {name!r}. Reserved for audiopipe: "
                f"{', '.join(sorted(reserved))}. Leave it out, or rename the column."
            )
