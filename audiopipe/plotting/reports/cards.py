"""Cards of clips: pictures of their features, their sound, and what is known about them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from audiopipe import wording
from audiopipe.configs.base import Config
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of
from audiopipe.plotting import images
from audiopipe.plotting.feature_plot import plot_feature
from audiopipe.plotting.reports import facts, inline_svg
from audiopipe.plotting.reports.sounds import MAX_SECONDS, Sound

MOST_CHANNELS = 2  # of a clip that are drawn; of more channels, only the first is
WIDTH, PANEL_HEIGHT, MARGIN = 4.5, 1.25, 0.4  # inches


@dataclass(frozen=True)
class Picture:
    """Picture of the feature of a clip.

    Args:
        letter: Letter of the feature set, or empty.
        svg: The picture. Empty if the clip has no frames.
        notes: Sentences about what is not shown.
    """

    letter: str
    svg: Markup
    notes: list[str]


@dataclass(frozen=True)
class Card:
    """What a report shows about a clip.

    Args:
        clip_id: Id of the clip.
        facts: Short facts about it, such as its duration.
        metadata: Pairs of a column and the value of the clip, as text.
        pictures: Picture of the feature in each feature set that has the clip.
        sound: Sound of the clip. None if no input is given.
    """

    clip_id: str
    facts: list[str]
    metadata: list[tuple[str, str]]
    pictures: list[Picture]
    sound: Sound | None = None

    def with_sound(self, sounds: Mapping[str, Sound]) -> "Card":
        """Returns the card with the sound of the clip."""
        return replace(self, sound=sounds.get(self.clip_id))


class Cards:
    """Makes cards of clips. Numbers the pictures of a page.

    Args:
        first_number: Number of the first picture.
    """

    def __init__(self, first_number: int):
        self._number = first_number

    def card(self, feature_set: FeatureSet, number: int, letter: str, others: Sequence[tuple[str, FeatureSet]]) -> Card:
        """Returns the card of a clip.

        Args:
            feature_set: The feature set of the clip.
            number: Number of the clip in it.
            letter: Letter of the feature set, or empty.
            others: Pairs of a letter and a feature set, which may have a clip of the same id.
        """
        view = feature_set.select([number])
        [clip_id] = view.ids
        clip = _columns(view)
        pictures = [self._picture(view, letter)]
        pictures += [self._picture(other.select([clip_id]), name) for name, other in others if clip_id in other]
        told = [wording.count_of(clip["n_frames"], "frame")]
        if clip["seconds"] is not None:
            told.insert(0, facts.seconds(clip["seconds"]))
        return Card(clip_id, told, _metadata(view), pictures)

    def _picture(self, view: FeatureSet, letter: str) -> Picture:
        config, clip = view.config, _columns(view)
        n_frames = clip["n_frames"]
        n_valid = n_frames if clip["valid_frames"] is None else min(clip["valid_frames"], n_frames)
        n_shown = _frames_within(config, n_valid, MAX_SECONDS)
        notes = [f"The picture shows the first {MAX_SECONDS:g} s."] if n_shown < n_valid else []
        if n_valid < n_frames:
            padding = wording.count_of(n_frames - n_valid, "frame of padding is", "frames of padding are")
            notes.append(f"{padding} not drawn.")
        if n_shown == 0:
            return Picture(letter, Markup(""), ["The clip has no frames that hold audio."])
        feature = view.read(0) if n_shown == n_frames else view.read(0, 0, n_shown)
        n_channels = feature.shape[config.channel_axis] // len(config.quantities)
        channel = 0 if n_channels > MOST_CHANNELS else None
        if channel == 0:
            notes.append(f"Channel 0 of {n_channels} is shown.")
        self._number += 1
        panels = len(config.quantities) * (1 if channel == 0 else n_channels)
        with inline_svg.style():
            figure = images.new_figure(WIDTH, MARGIN + PANEL_HEIGHT * panels)
            axes = figure.subplots(panels, 1, squeeze=False, sharex=True)[:, 0]
            plot_feature(feature, config, axes, channel=channel)
            for bar in figure.axes[panels:]:  # a label is longer than a bar, and the group of clips has it
                bar.set_ylabel("")
        return Picture(letter, inline_svg.inlined(figure, self._number, "The feature over time and bins."), notes)


def _frames_within(config: Config, n_frames: int, seconds: float) -> int:
    """Returns how many of the first frames of a clip have their centre within a time."""
    if n_frames < 2:
        return n_frames
    first, second = config.frame_centres(2)
    return int(np.clip(np.ceil((seconds - first) / (second - first)), 1, n_frames))


def _columns(view: FeatureSet) -> dict[str, Any]:
    """Returns the columns of the index about the only clip of a view, apart from its metadata."""
    sets, rows = clips_of(view)
    own = sets.layout.own
    return {name: sets.column(own[name], rows)[0].as_py() for name in ("n_frames", "valid_frames", "seconds")}


def _metadata(view: FeatureSet) -> list[tuple[str, str]]:
    sets, rows = clips_of(view)
    found = []
    for name in view.schema:
        value = sets.column(name, rows)[0].as_py()
        if value is not None and name in view.classes:
            value = view.classes[name][value]
        if value is not None:
            found.append((name, _text(value)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value or "(empty)"
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
