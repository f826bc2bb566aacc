"""Groups of clips that a report shows: random ones, and unusual ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiopipe import wording
from audiopipe.plotting import scales
from audiopipe.plotting.reports import sentences
from audiopipe.plotting.reports.cards import Card, Cards
from audiopipe.plotting.reports.sides import OnStep, Side
from audiopipe.plotting.reports.sounds import Sound

UNUSUAL = 6  # clips of each feature set


@dataclass(frozen=True)
class Group:
    """Clips of a report that belong together.

    Args:
        anchor: Anchor of the section.
        title: Its title.
        paragraphs: What the clips are.
        cards: The clips.
    """

    anchor: str
    title: str
    paragraphs: list[str]
    cards: list[Card]

    def with_sounds(self, sounds: Mapping[str, Sound]) -> "Group":
        """Returns the group with the sounds of its clips."""
        return replace(self, cards=[card.with_sound(sounds) for card in self.cards])


def groups_of(sides: Sequence[Side], n_clips: int, seed: int, first_picture: int, on_step: OnStep) -> list[Group]:
    """Chooses clips and makes their cards.

    The random clips are those of the first feature set. If the second one has none of them, it has random clips of its
    own.

    Args:
        sides: The feature sets.
        n_clips: Number of random clips.
        seed: Seed of the choice.
        first_picture: Number of the first picture.
        on_step: Function of the name of a step, how much of it is done, and how much there is.
    """
    cards = Cards(first_picture)
    random = {side.letter: _random(side, n_clips, seed) for side in sides}
    unusual = {side.letter: _unusual(side) if n_clips else [] for side in sides}
    planned = sum(map(len, random.values())) + sum(map(len, unusual.values()))
    drawn = 0

    def made(side: Side, numbers: Sequence[int]) -> list[Card]:
        nonlocal drawn
        others = [(other.letter, other.feature_set) for other in sides if other is not side]
        found = []
        for number in numbers:
            on_step("drawing clips", drawn, planned)
            found.append(cards.card(side.feature_set, number, side.letter, others))
            drawn += 1
        return found

    groups: list[Group] = []
    for side in sides:
        if side is not sides[0] and any(len(card.pictures) > 1 for group in groups for card in group.cards):
            planned -= len(random[side.letter])
            continue  # its features are beside those of the first set
        if random[side.letter]:
            chosen = made(side, random[side.letter])
            told = [f"{_told(side, chosen)} {_colours(sides)}"]
            title = "All clips" if len(chosen) == len(side.feature_set) else "Random clips"
            title = title if any(len(card.pictures) > 1 for card in chosen) else _title(title, side)
            groups.append(Group(_anchor("clips", side), title, told, chosen))
    for side in sides:
        if unusual[side.letter]:
            chosen = made(side, [side.sample.clips[place].number for place, _ in unusual[side.letter]])
            chosen = [
                replace(card, facts=[*card.facts, f"distance {distance:.2f}"])
                for card, (_, distance) in zip(chosen, unusual[side.letter], strict=True)
            ]
            told = sentences.of_unusual(side)
            groups.append(Group(_anchor("unusual", side), _title("Most unusual clips", side), told, chosen))
    on_step("drawing clips", drawn, drawn)
    return groups


def _random(side: Side, n_clips: int, seed: int) -> list[int]:
    """Returns the numbers of random clips, in ascending order."""
    count = min(n_clips, len(side.feature_set))
    if not count:
        return []
    return np.sort(np.random.default_rng(seed).choice(len(side.feature_set), count, replace=False)).tolist()


def _unusual(side: Side) -> list[tuple[int, float]]:
    """Returns the places in the sample of the most distant clips, the most distant one first, and their distances."""
    distances = side.distances
    count = min(UNUSUAL, len(distances) // 2)
    return [(int(place), float(distances[place])) for place in np.argsort(-distances, kind="stable")[:count]]


def _told(side: Side, cards: Sequence[Card]) -> str:
    count = len(side.feature_set)
    if len(cards) == count:
        return "The only clip." if count == 1 else f"All {count:,} clips."
    return f"{wording.count_of(len(cards), 'clip')} of {count:,}, chosen at random."


def _colours(sides: Sequence[Side]) -> str:
    """Says what the colours of pictures stand for."""
    labels = dict.fromkeys(
        scales.scale_of(side.config, quantity).label
        for side in sides
        if side.config.n_bins > 1
        for quantity in side.config.quantities
    )
    return f"Colours show {' or '.join(labels)}; each picture has a scale of its own." if labels else ""


def _anchor(name: str, side: Side) -> str:
    return f"{name}-{side.letter.lower()}" if side.letter else name


def _title(text: str, side: Side) -> str:
    return f"{text} of {side.letter}" if side.letter else text
