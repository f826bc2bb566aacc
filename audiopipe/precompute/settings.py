"""Settings of a job that its plan depends on."""

from dataclasses import dataclass, field

from audiopipe.configs.base import Config
from audiopipe.errors import ConfigMismatchError, InputChangedError
from audiopipe.feature_sets import dtypes
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import InputOptions
from audiopipe.precompute.plan import Plan
from audiopipe.transform.segments import Segments


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a job that its plan depends on.

    Args:
        output: Folder of the feature set.
        config: Config of the feature.
        num_shards: Number of shards for the clips to compute, at most one per recording. None makes each shard a 64th
            of the output, but at least 1 MB and at most 128 MB. Neighbouring stretches of one recording stay in one
            shard, so that it is decoded once. If stretches are scattered over the input, None makes shards of 128 MB,
            because every shard decodes the recordings again.
        segments: How recordings are cut into segments. None keeps them whole.
        dtype: Dtype in which features are stored.
        options: Options that decided what the input has.
        accept_truncated: Whether truncated recordings are read as far as they go.

    Raises:
        ArgumentError: If segments are shorter than one frame.
    """

    output: str
    config: Config
    num_shards: int | None = None
    segments: Segments | None = None
    dtype: str = "float32"
    options: InputOptions = field(default_factory=InputOptions)
    accept_truncated: bool = False

    def __post_init__(self) -> None:
        dtypes.check(self.dtype)
        if self.segments is not None:
            self.segments.sizes(self.config)

    def check(self, before: Plan | Description, *, retry: bool, update: bool) -> None:
        """Raises an error unless a folder was started with these settings.

        Args:
            before: The plan or the feature set in the folder.
            retry: Whether failed clips are tried again. They may be read with `accept_truncated` then.
            update: Whether the feature set is brought up to date. They may be read so then as well, and the options of
                the input may differ.

        Raises:
            ConfigMismatchError: If the config differs.
            InputChangedError: If another setting differs.
        """
        if before.config.fingerprint != self.config.fingerprint:
            raise ConfigMismatchError(
                f"{self.output!r} was started with another config. Received (left, fingerprint "
                f"{self.config.fingerprint}) and found (right, fingerprint {before.config.fingerprint}):\n"
                f"{self.config.diff(before.config)}\nChoose another folder, or pass --overwrite to start from scratch."
            )
        settings = {name: (getattr(before, name), getattr(self, name)) for name in ("segments", "dtype")}
        if not ((retry or update) and self.accept_truncated):
            settings["accept_truncated"] = before.accept_truncated, self.accept_truncated
        if not update:
            for option in InputOptions.__slots__:
                settings[option] = getattr(before.options, option), getattr(self.options, option)
        if self.num_shards is not None and not (retry or update) and _has_other_shards(before, self.num_shards):
            settings["num_shards"] = _n_shards(before), self.num_shards
        for name, (was, is_now) in settings.items():
            if was != is_now:
                way_out = ""
                if name == "accept_truncated" and is_now:
                    way_out = " To read truncated clips that failed, pass --retry-failures as well."
                elif name in InputOptions.__slots__:
                    way_out = " To read the input with other options, pass --update."
                raise InputChangedError(
                    f"{self.output!r} was started with other settings: {name} was {was!r} and is {is_now!r} now. "
                    f"Choose another folder, or pass --overwrite to start from scratch.{way_out}"
                )


def _n_shards(before: Plan | Description) -> int:
    return before.n_shards if isinstance(before, Plan) else len(before.shards)


def _has_other_shards(before: Plan | Description, num_shards: int) -> bool:
    """Returns whether a first run certainly did not ask for this number of shards. Later ones may add any number."""
    if isinstance(before, Plan):
        return before.changes is None and num_shards not in (before.num_shards, before.n_shards)
    return before.generation <= 1 and num_shards < len(before.shards)
