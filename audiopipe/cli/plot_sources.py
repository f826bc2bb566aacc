"""What `audiopipe plot` draws: the features of clips, and of clips of feature sets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiopipe import checks
from audiopipe.cli.shared_arguments import DEFAULT_CONFIG
from audiopipe.cli.terminal import print_fact
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, ClipNotFoundError, IncompleteFeatureSetError
from audiopipe.runtime import startup
from audiopipe.storage import files

if TYPE_CHECKING:
    from audiopipe.feature_sets import FeatureSet

SHOWN_IDS = 3  # in an error
SEPARATOR = "#"  # between the folder of a feature set and the id of a clip


@dataclass(frozen=True, eq=False)
class Found:
    """A feature to draw.

    Args:
        name: Title of the feature.
        feature: The feature without padding.
        config: Its config.
        start: Time at which the first frame would start if it were the first of its clip, in seconds.
    """

    name: str
    feature: np.ndarray
    config: Config
    start: float


@dataclass(frozen=True)
class Stretch:
    """Stretch of clips that is drawn.

    Args:
        start: Start in seconds.
        seconds: Length in seconds. None means to the end.

    Raises:
        ArgumentError: If the start is negative or the length is not positive.
    """

    start: float = 0.0
    seconds: float | None = None

    def __post_init__(self) -> None:
        checks.real("--start", self.start, minimum=0)
        if self.seconds is not None:
            checks.real("--seconds", self.seconds, above=0)

    @property
    def stop(self) -> float:
        """End in seconds, which is infinite if the stretch reaches to the end of a clip."""
        return np.inf if self.seconds is None else self.start + self.seconds

    @property
    def is_whole(self) -> bool:
        """Whether all of a clip is drawn."""
        return self.start == 0 and self.seconds is None

    def check_within(self, name: str, seconds: float) -> None:
        """Raises an error if a clip ends before the stretch starts.

        Args:
            name: Name of the clip.
            seconds: Length of the clip in seconds.
        """
        if self.start >= seconds and not self.is_whole:
            raise ArgumentError(
                f"--start must be before the end of {name!r}, which is {seconds:.3f} s long. Received: "
                f"--start {self.start:g}."
            )


def found(word: str, configs: Sequence[str], stretch: Stretch, accept_truncated: bool = False) -> list[Found]:
    """Returns the features that a word of the command line stands for.

    Args:
        word: The path of a clip, or `SET#id`.
        configs: Names of configs, or paths of JSON files. A clip has a feature for each, or that of the default.
        stretch: Stretch to draw.
        accept_truncated: Whether to read what is there of damaged or truncated files.

    Raises:
        ArgumentError: If it is neither, if it starts after the end of the clip, or if a config is given for a clip of
            a feature set.
        AudioError: If a clip cannot be read.
        FeatureSetError: If a feature set cannot be read, or does not have the id.
    """
    if not files.exists(word) and SEPARATOR in word:
        places = [place for place, character in enumerate(word) if character == SEPARATOR]
        for place in places:
            folder, clip_id = word[:place], word[place + 1 :]
            feature_set = _opened(folder)
            # Ids and folders may contain the separator.
            if feature_set is not None and (clip_id in feature_set or place == places[-1]):
                return [_of_record(feature_set, folder, clip_id, configs, stretch)]
        raise ArgumentError(
            f"CLIP must be an audio file, or SET#id for a clip of a feature set. Received: {word!r}, which is not a "
            f"file, and {word[: places[-1]]!r} is not a feature set. Check the path."
        )
    if files.is_folder(word):
        raise _folder_error(word)
    return [_of_clip(word, config, stretch, accept_truncated) for config in configs or [DEFAULT_CONFIG]]


def _of_clip(path: str, name: str, stretch: Stretch, accept_truncated: bool) -> Found:
    """Computes the feature of a stretch of a clip."""
    with startup.quiet():
        from audiopipe.transform import Transform

    transform = Transform(name, accept_truncated=accept_truncated)
    config, rate = transform.config, transform.config.sample_rate
    samples = transform.read(path, on_remark=lambda remark: print_fact(f"{path}: {remark.text}"))
    stretch.check_within(path, len(samples) / rate)
    first = round(stretch.start * rate)
    samples = samples[first : None if stretch.seconds is None else round(stretch.stop * rate)]
    if config.n_frames(len(samples)) < 1:
        raise ArgumentError(
            f"The stretch of {path!r} must be long enough for a frame of {name}. Received: {len(samples) / rate:.4g} s "
            f"from --start {stretch.start:g} on. Use an earlier --start or a larger --seconds."
        )
    with startup.quiet():  # TensorFlow looks for devices at the first computation
        feature = transform.compute(samples)
    feature = _frames(feature, config, 0, config.valid_frames(len(samples)))
    return Found(f"{os.path.basename(path)}: {os.path.basename(name)}", feature, config, first / rate)


def _of_record(feature_set: "FeatureSet", folder: str, clip_id: str, configs: Sequence[str], stretch: Stretch) -> Found:
    """Reads the feature of a clip of a feature set, or the frames of it that are within a stretch."""
    from audiopipe.feature_sets import valid_frames

    if configs:
        raise ArgumentError(
            f"--config is for audio files: {folder}{SEPARATOR}{clip_id} has the config of its feature set. Received: "
            f"--config {configs[0]}. Leave it out."
        )
    if clip_id not in feature_set:
        raise ClipNotFoundError(
            f"The feature set {folder!r} must have a clip with this id. Received: {clip_id!r}. Its first ids are "
            f"{', '.join(map(repr, feature_set[:SHOWN_IDS].ids))}."
        )
    clip, config = feature_set[clip_id], feature_set.config
    entry = valid_frames.entry(feature_set.descriptions, feature_set.columns)
    count = clip["n_frames"] if entry is None else clip[entry]
    centres = config.frame_centres(max(count, 2))
    stretch.check_within(clip_id, count * (centres[1] - centres[0]))
    shown = np.flatnonzero((centres[:count] >= stretch.start) & (centres[:count] < stretch.stop))
    if not stretch.is_whole and not len(shown):
        raise ArgumentError(
            f"The stretch must hold the centre of a frame of {clip_id!r}. Received: --start {stretch.start:g} and "
            f"--seconds {stretch.seconds}. Use an earlier --start or a larger --seconds."
        )
    first, last = (shown[0], shown[-1] + 1) if not stretch.is_whole else (0, count)
    feature = _frames(clip["feature"], config, first, last)
    name = f"{os.path.basename(folder.rstrip('/'))}{SEPARATOR}{clip_id}"
    return Found(name, feature, config, float(centres[first] - centres[0]))


def _frames(feature: np.ndarray, config: Config, first: int, last: int) -> np.ndarray:
    """Returns some frames of a feature."""
    return feature[(slice(None),) * config.frame_axis + (slice(first, last),)]


def _opened(folder: str) -> "FeatureSet | None":
    """Opens a feature set. Returns None if the folder has none."""
    from audiopipe.feature_sets import FeatureSet

    try:
        return FeatureSet(folder) if folder else None
    except IncompleteFeatureSetError:
        return None


def _folder_error(folder: str) -> ArgumentError:
    """Returns the error about a folder in the place of a clip."""
    feature_set = _opened(folder)
    advice = f"Name audio files, such as {folder.rstrip('/')}/*.wav."
    if feature_set is not None:
        example = feature_set[:1].ids or ["id"]
        advice = f"It is a feature set: name one of its clips, such as '{folder}{SEPARATOR}{example[0]}'."
    return ArgumentError(
        f"CLIP must be an audio file, or SET#id for a clip of a feature set. Received: the folder {folder!r}. {advice}"
    )
