"""Numbers of valid frames of the clips of feature sets: which sets have them, and under which name."""

from collections.abc import Sequence

from audiopipe.configs.base import Config
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index.layout import Layout
from audiopipe.inputs.columns import Columns
from audiopipe.transform.entry_names import VALID_FRAMES
from audiopipe.transform.segments import Segments

COUNT_OF_UNKNOWN = "unknown_valid_frames"  # in `dataset.json`: the number of clips whose valid frames are not known


def may_pad(config: Config, segments: Segments | None) -> bool:
    """Returns whether some frames may be padding, by the definition of the feature or of its segments."""
    return config.pads_clips or (segments is not None and segments.last == "pad")


def are_padded(description: Description) -> bool:
    """Returns whether some frames of a feature set may be padding."""
    noted = "padded_seconds" in description.counts or COUNT_OF_UNKNOWN in description.counts
    return noted or may_pad(description.config, description.segments)


def are_known(description: Description) -> bool:
    """Returns whether a feature set says how many frames of its clips are valid.

    Records of format 1 do not say it. If nothing is padded, all frames are valid. A set that was made from a padded set
    of format 1 lacks the numbers of its clips.
    """
    if description.format_version == 1:
        return not are_padded(description)
    return COUNT_OF_UNKNOWN not in description.counts


def of_record(stored: int | None, description: Description) -> int | None:
    """Returns the number of valid frames of a record, or None if it is not known.

    Args:
        stored: What `record_heads.head` says.
        description: The feature set of the record.
    """
    return None if description.format_version == 1 and are_padded(description) else stored


def entry(descriptions: Sequence[Description], columns: Columns) -> str | None:
    """Returns the name of the entry of clips with the number of valid frames.

    Args:
        descriptions: The feature sets of the clips.
        columns: The metadata columns of all sets. A column of that name keeps it, and the entry gets underscores, as in
            the index.

    Returns:
        The name. None if clips have no such entry, in two cases: no set is padded, so all frames are valid, and no
        metadata column has the name; or some of the numbers are not known.

    Example:
        >>> entry([Description.open("tests/data/v0.1/features")], Columns(types={}))
    """
    name = Layout(columns).own[VALID_FRAMES]
    is_needed = any(map(are_padded, descriptions)) or name != VALID_FRAMES
    return name if is_needed and all(map(are_known, descriptions)) else None
