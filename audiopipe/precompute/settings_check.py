"""Check that a job has the settings that a folder was started with."""

from audiopipe.errors import ConfigMismatchError, InputChangedError
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import InputOptions
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.planning import Settings


def check(before: Plan | Description, now: Settings, *, retry: bool, update: bool) -> None:
    """Raises an error unless a job has the settings of a plan or a feature set.

    Args:
        before: The plan or the feature set in the folder.
        now: Settings of the job.
        retry: Whether failed clips are tried again. They may be read with `accept_truncated` then.
        update: Whether the feature set is brought up to date. The options of the input may differ then as well.

    Raises:
        ConfigMismatchError: If the config differs.
        InputChangedError: If another setting differs.
    """
    output = now.output
    if before.config.fingerprint != now.config.fingerprint:
        raise ConfigMismatchError(
            f"{output!r} was started with another config. Received (left, fingerprint {now.config.fingerprint}) and "
            f"found (right, fingerprint {before.config.fingerprint}):\n{now.config.diff(before.config)}\nChoose "
            "another folder, or pass --overwrite to start from scratch."
        )
    settings = {name: (getattr(before, name), getattr(now, name)) for name in ("segments", "dtype")}
    if not ((retry or update) and now.accept_truncated):
        settings["accept_truncated"] = before.accept_truncated, now.accept_truncated
    if not update:
        for option in InputOptions.__slots__:
            settings[option] = getattr(before.options, option), getattr(now.options, option)
    if now.num_shards is not None and not (retry or update) and _has_other_shards(before, now.num_shards):
        settings["num_shards"] = _n_shards(before), now.num_shards
    for name, (was, is_now) in settings.items():
        if was != is_now:
            way_out = " To read truncated clips that failed, pass --retry-failures as well." if is_now is True else ""
            raise InputChangedError(
                f"{output!r} was started with other settings: {name} was {was!r} and is {is_now!r} now. Choose "
                f"another folder, or pass --overwrite to start from scratch.{way_out}"
            )


def _n_shards(before: Plan | Description) -> int:
    return before.n_shards if isinstance(before, Plan) else len(before.shards)


def _has_other_shards(before: Plan | Description, num_shards: int) -> bool:
    """Returns whether a first run certainly did not ask for this number of shards. Later ones may add any number."""
    if isinstance(before, Plan):
        return before.changes is None and num_shards not in (before.num_shards, before.n_shards)
    return before.generation <= 1 and num_shards < len(before.shards)
