"""Sentences of a report about one feature set."""

import numpy as np

from audiopipe import wording
from audiopipe.plotting import scales
from audiopipe.plotting.reports.facts import seconds
from audiopipe.plotting.reports.samples import Sample
from audiopipe.plotting.reports.sides import Side

SHOWN_IDS = 5
MINUS = "\N{MINUS SIGN}"
NO_CLIPS = "The set has no clips."


def of_durations(side: Side) -> str:
    """Says how long the clips are."""
    found, count = side.durations, len(side.feature_set)
    if not count:
        return NO_CLIPS
    total = f"{wording.count_of(count, 'clip')}, {wording.duration(3600 * side.hours)} of audio."
    if count == 1 or found.are_equal:
        each = f"{'The clip lasts' if count == 1 else 'Every clip lasts'} {seconds(found.median)}."
    else:
        low, high = seconds(float(found.seconds.min())), seconds(float(found.seconds.max()))
        each = f"They last {low} to {high}; the median is {seconds(found.median)}."
    note = ""
    if found.estimated:
        clips = "all clips" if found.estimated == count else wording.count_of(found.estimated, "clip")
        note = f" The duration of {clips} is not recorded, so it is estimated from the number of frames."
    return f"{total} {each}{note}"


def of_statistics(side: Side) -> str:
    """Says what the statistics are about."""
    statistics = side.statistics
    if statistics is None:
        if side.sample.clips:
            return "There are no statistics, because some values are not finite."
        return "There are no statistics, because no clip has a frame."
    frames = "" if statistics.count is None else f" {wording.count_of(int(statistics.count.max()), 'frame')}"
    if side.is_estimate:
        return (
            f"An estimate from{frames} of {_measured(side.sample)}. The set stores no statistics of these clips; "
            "FeatureSet.statistics computes them from all records."
        )
    return f"Over all{frames} that hold audio."


def of_levels(side: Side) -> str:
    """Says how loud the clips of the sample are, and how much of them is silent."""
    sample, levels = side.sample, side.levels
    if not sample.clips:
        return NO_CLIPS if not len(side.feature_set) else "No clip has a frame."
    parts = [f"Measured in {_measured(sample)}."]
    if len(levels):
        low, high = _number(levels.min()), _number(levels.max())
        middle = _number(float(np.median(levels)))
        if len(levels) == 1:
            parts.append(f"Its level is {middle}, in {level_unit(side)}.")
        elif low == high:
            parts.append(f"All levels are {middle}, in {level_unit(side)}.")
        else:
            parts.append(f"The levels are {low} to {high} with a median of {middle}, in {level_unit(side)}.")
    share = side.silent_share
    parts.append(f"{100 * share:.3g} % of the frames are silent." if share else "No frame is silent.")
    silent = [clip.clip_id for clip in sample.clips if clip.is_silent]
    if silent:
        shown = ", ".join(silent[:SHOWN_IDS])
        more = f" and {len(silent) - SHOWN_IDS:,} more" if len(silent) > SHOWN_IDS else ""
        parts.append(f"{wording.count_of(len(silent), 'clip is', 'clips are')} silent throughout: {shown}{more}.")
    broken = [clip.clip_id for clip in sample.clips if not clip.is_finite]
    if broken:
        has = wording.count_of(len(broken), "clip has", "clips have")
        parts.append(f"{has} values that are not finite: {', '.join(broken[:SHOWN_IDS])}.")
    return " ".join(parts)


def of_unusual(side: Side) -> list[str]:
    """Says how unusual clips are found."""
    stated = (
        "The distance of a clip is the root mean square, over all bins, of the difference between the mean of the clip "
        "and the mean of the set, divided by the standard deviation of the set. Short clips are further away by chance."
    )
    return [stated, f"The clips that are furthest away among {_measured(side.sample)}."]


def level_unit(side: Side) -> str:
    """Returns the unit of levels, and what they are levels of."""
    return scales.scale_of(side.config, side.config.quantities[0]).label


def _measured(sample: Sample) -> str:
    stretches = f" ({sample.n_stretches:,} in part, because they are long)" if sample.n_stretches else ""
    if sample.n_chosen == sample.n_all:
        return f"{'the only clip' if sample.n_all == 1 else f'all {sample.n_all:,} clips'}{stretches}"
    return f"{sample.n_chosen:,} of {sample.n_all:,} clips, chosen at random{stretches}"


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", MINUS)
